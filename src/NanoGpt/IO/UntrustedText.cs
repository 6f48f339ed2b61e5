// Text that comes out of a file or a server's answer, made fit for an error message: short, on one line, without characters
// that a terminal would obey or that would show something else than what is there.

using System.Buffers;
using System.Globalization;
using System.Text;

namespace NanoGpt.IO;

/// <summary>Quotes names and values of unknown origin.</summary>
internal static class UntrustedText
{
    private const int MaxLength = 120;

    /// <summary>Names listed one by one in a message; the rest are counted.</summary>
    public const int MaxNames = 200;

    /// <summary><paramref name="text"/> in quotes, at most 120 characters of it, unprintable ones as <c>\uXXXX</c>.</summary>
    public static string Quote(string text)
    {
        var quoted = new StringBuilder("'");
        for (var rest = text.AsSpan(0, Math.Min(text.Length, MaxLength)); !rest.IsEmpty;)
        {
            var isWhole = Rune.DecodeFromUtf16(rest, out var rune, out var length) == OperationStatus.Done;
            if (isWhole && IsPrintable(rune))
                quoted.Append(rest[..length]);
            else
                foreach (var c in rest[..length]) quoted.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
            rest = rest[length..];
        }

        return quoted.Append(text.Length > MaxLength ? "...'" : "'").ToString();
    }

    /// <summary>All <paramref name="names"/>, quoted and separated by commas; above <see cref="MaxNames"/> the rest is counted.</summary>
    public static string List(IReadOnlyCollection<string> names)
    {
        var list = string.Join(", ", names.Take(MaxNames).Select(Quote));
        return names.Count <= MaxNames ? list : $"{list} and {names.Count - MaxNames} more";
    }

    private static bool IsPrintable(Rune rune) => Rune.GetUnicodeCategory(rune) is not
        (UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator);
}
