// Text that comes out of a file, made fit for an error message: short, on one line, without control characters that a
// terminal would obey.

using System.Text;

namespace NanoGpt.Formats;

/// <summary>Quotes names and values from files of unknown origin.</summary>
internal static class UntrustedText
{
    private const int MaxLength = 120;

    /// <summary>Names listed one by one in a message; the rest are counted.</summary>
    public const int MaxNames = 200;

    /// <summary><paramref name="text"/> in quotes, at most 120 characters of it, unprintable ones as <c>\uXXXX</c>.</summary>
    public static string Quote(string text)
    {
        var quoted = new StringBuilder("'");
        foreach (var c in text.AsSpan(0, Math.Min(text.Length, MaxLength)))
        {
            if (char.IsControl(c) || char.IsSurrogate(c) || c is >= '\u2028' and <= '\u202f' or >= '\u2066' and <= '\u2069')
                quoted.Append("\\u").Append(((int)c).ToString("x4", System.Globalization.CultureInfo.InvariantCulture));
            else
                quoted.Append(c);
        }

        return quoted.Append(text.Length > MaxLength ? "...'" : "'").ToString();
    }

    /// <summary>All <paramref name="names"/>, quoted and separated by commas; above <see cref="MaxNames"/> the rest is counted.</summary>
    public static string List(IReadOnlyCollection<string> names)
    {
        var list = string.Join(", ", names.Take(MaxNames).Select(Quote));
        return names.Count <= MaxNames ? list : $"{list} and {names.Count - MaxNames} more";
    }
}
