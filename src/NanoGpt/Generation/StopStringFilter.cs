// Watches a growing text for strings that end it, and holds back what may be the beginning of one, so that no piece of a
// stop string is ever shown, over however many tokens it comes.

namespace NanoGpt.Generation;

/// <summary>Lets text through up to the first stop string. One for each sequence.</summary>
/// <param name="stopStrings">The strings; none is empty.</param>
internal sealed class StopStringFilter(IReadOnlyList<string> stopStrings)
{
    private string _heldBack = "";

    /// <summary>Whether a stop string has appeared; nothing comes through after it.</summary>
    public bool HasStopped { get; private set; }

    /// <summary>Takes the next piece of text and gives what is certain not to be part of a stop string.</summary>
    public string Add(string text)
    {
        if (HasStopped) return "";
        if (stopStrings.Count == 0) return text;

        var all = _heldBack + text;
        var found = FirstStop(all);
        if (found >= 0)
        {
            HasStopped = true;
            _heldBack = "";
            return all[..found];
        }

        var certain = all.Length - LongestBeginning(all);
        _heldBack = all[certain..];
        return all[..certain];
    }

    /// <summary>The text ends here: gives what was held back.</summary>
    public string Flush()
    {
        var rest = _heldBack;
        _heldBack = "";
        return rest;
    }

    /// <summary>Where the stop string begins that is complete first, or -1.</summary>
    private int FirstStop(string text)
    {
        var (begin, end) = (-1, int.MaxValue);
        foreach (var stop in stopStrings)
        {
            var index = text.IndexOf(stop, StringComparison.Ordinal);
            if (index < 0 || index + stop.Length > end) continue;
            if (index + stop.Length < end || index < begin) (begin, end) = (index, index + stop.Length);
        }

        return begin;
    }

    /// <summary>Length of the longest end of <paramref name="text"/> that a stop string begins with.</summary>
    private int LongestBeginning(string text)
    {
        var longest = 0;
        foreach (var stop in stopStrings)
        {
            for (var length = Math.Min(stop.Length - 1, text.Length); length > longest; length--)
            {
                if (string.CompareOrdinal(text, text.Length - length, stop, 0, length) == 0) longest = length;
            }
        }

        return longest;
    }
}
