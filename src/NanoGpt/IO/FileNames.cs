// Which names from outside may become files. One set of rules for all systems, the union of what POSIX and Windows
// refuse: what is written on one machine can then be copied to any other. Touches no file system.

using System.Buffers;
using System.Text;

namespace NanoGpt.IO;

/// <summary>Judges file names that come from an index, a header or a server.</summary>
internal static class FileNames
{
    private const int LongestSegmentBytes = 255; // NAME_MAX of every usual file system
    private const int LongestPathBytes = 1024;
    private static readonly SearchValues<char> ForbiddenCharacters = SearchValues.Create("\\:*?\"<>|");

    private static readonly string[] DeviceNames = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"];

    /// <summary>Whether <paramref name="name"/> is one plain name: no folder, drive, stream, device or hidden trick in it.</summary>
    public static bool IsPlain(string name) => !name.Contains('/', StringComparison.Ordinal) && FaultOf(name) is null;

    /// <summary>What keeps <paramref name="name"/> from being a relative path that stays in its folder on every system.</summary>
    /// <param name="name">Segments separated by <c>/</c>.</param>
    /// <returns>The end of a sentence that begins with the name; null where nothing is wrong.</returns>
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
