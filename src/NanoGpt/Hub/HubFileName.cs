// Which names from outside may become files. One set of rules for all systems, the union of what POSIX and Windows
// refuse: what is downloaded on one machine can then be copied to any other. Touches no file system.

using System.Buffers;
using System.Text;

namespace NanoGpt.Hub;

/// <summary>The rules for file names that come from a repository, an index or a header.</summary>
internal static class HubFileName
{
    private const int LongestSegmentBytes = 255; // NAME_MAX of every usual file system
    private const int LongestPathBytes = 1024;
    private static readonly SearchValues<char> ForbiddenCharacters = SearchValues.Create("\\:*?\"<>|");

    private static readonly string[] DeviceNames = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"];

    /// <summary>Throws unless <paramref name="name"/> is a relative path that stays inside its folder on every system.</summary>
    /// <param name="name">Segments separated by <c>/</c>.</param>
    /// <param name="source">Where the name comes from, for the message.</param>
    /// <exception cref="HubException">It is not; the kind is <see cref="HubErrorKind.UnsafeName"/>.</exception>
    public static void Check(string name, string source)
    {
        if (FaultOf(name) is { } fault)
            throw new HubException(HubErrorKind.UnsafeName,
                $"{source}: the file name {Quote(name)} {fault}. Nothing was written. Expected a relative name that is safe on every system.");
    }

    /// <summary>Like <see cref="Check"/>, and the name must be a single segment.</summary>
    public static void CheckSegment(string name, string source)
    {
        var fault = name.Contains('/', StringComparison.Ordinal) ? "contains a path separator" : FaultOf(name);
        if (fault is not null)
            throw new HubException(HubErrorKind.UnsafeName,
                $"{source}: the file name {Quote(name)} {fault}. Nothing was written. Expected a plain file name.");
    }

    /// <summary>What is wrong with <paramref name="name"/>, as the end of a sentence; null where nothing is.</summary>
    public static string? FaultOf(string name)
    {
        if (name.Length == 0) return "is empty";
        if (!IsWellFormed(name)) return "is not valid Unicode";
        if (Encoding.UTF8.GetByteCount(name) > LongestPathBytes) return $"is longer than {LongestPathBytes} bytes";
        foreach (var segment in name.Split('/'))
        {
            if (SegmentFault(segment) is { } fault) return fault;
        }

        return null;
    }

    /// <summary>The name for a message: one line, printable, not long.</summary>
    public static string Quote(string name)
    {
        var text = new StringBuilder("'");
        foreach (var rune in name.EnumerateRunes().Take(100))
        {
            if (Rune.IsControl(rune) || Rune.GetUnicodeCategory(rune) is System.Globalization.UnicodeCategory.Format)
                text.Append(System.Globalization.CultureInfo.InvariantCulture, $"\\u{rune.Value:x4}");
            else
                text.Append(rune.ToString());
        }

        return text.Append(name.Length > 100 ? "'..." : "'").ToString();
    }

    private static string? SegmentFault(string segment)
    {
        if (segment.Length == 0) return "has an empty part (it is absolute, or has two separators in a row)";
        if (segment is "." or "..") return "leads out of its folder";
        if (segment.Any(char.IsControl)) return "contains a control character";
        if (segment.AsSpan().IndexOfAny(ForbiddenCharacters) is >= 0 and var at) return $"contains '{segment[at]}', which has a meaning of its own on Windows";
        if (segment[^1] is '.' or ' ') return "has a part that ends in a dot or space, which Windows drops";
        if (IsDevice(segment)) return "is the name of a device on Windows";
        if (Encoding.UTF8.GetByteCount(segment) > LongestSegmentBytes) return $"has a part longer than {LongestSegmentBytes} bytes";
        return null;
    }

    // Windows looks only at what stands before the first dot, without spaces at its end: `aux.h`, `NUL .txt`, `com1.tar.gz`.
    // The superscript digits count as digits there.
    private static bool IsDevice(string segment)
    {
        var dot = segment.IndexOf('.', StringComparison.Ordinal);
        var stem = (dot < 0 ? segment : segment[..dot]).TrimEnd(' ').ToUpperInvariant();
        if (DeviceNames.Contains(stem)) return true;
        return stem.Length == 4 && (stem.StartsWith("COM", StringComparison.Ordinal) || stem.StartsWith("LPT", StringComparison.Ordinal))
            && "0123456789\u00b9\u00b2\u00b3".Contains(stem[3], StringComparison.Ordinal);
    }

    private static bool IsWellFormed(string name)
    {
        for (var i = 0; i < name.Length; i++)
        {
            if (!char.IsSurrogate(name[i])) continue;
            if (i + 1 >= name.Length || !char.IsSurrogatePair(name[i], name[i + 1])) return false;
            i++;
        }

        return true;
    }
}
