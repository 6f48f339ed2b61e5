// Which names from outside may become a file in a folder of ours. The rules of POSIX and of Windows together, wherever we
// run: a folder that is written here must be harmless there.

namespace NanoGpt.IO;

/// <summary>Judges file names that come from an index, a header or a server.</summary>
internal static class FileNames
{
    private static readonly HashSet<string> DeviceNames = new(StringComparer.OrdinalIgnoreCase)
    {
        "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$",
        "COM0", "COM1", "COM2", "COM3", "COM4", "COM5", "COM6", "COM7", "COM8", "COM9", "COM\u00b9", "COM\u00b2", "COM\u00b3",
        "LPT0", "LPT1", "LPT2", "LPT3", "LPT4", "LPT5", "LPT6", "LPT7", "LPT8", "LPT9", "LPT\u00b9", "LPT\u00b2", "LPT\u00b3",
    };

    /// <summary>Whether <paramref name="name"/> is one plain name: no folder, drive, stream, device or hidden trick in it.</summary>
    public static bool IsPlain(string name)
    {
        if (name.Length is 0 or > 255 || name is "." or "..") return false;
        if (name[^1] is '.' or ' ' || name[0] is ' ') return false; // Windows drops them: "a." would be "a".
        foreach (var c in name)
        {
            if (char.IsControl(c) || c is '/' or '\\' or ':' or '*' or '?' or '"' or '<' or '>' or '|') return false;
        }

        var dot = name.IndexOf('.', StringComparison.Ordinal);
        return !DeviceNames.Contains((dot < 0 ? name : name[..dot]).TrimEnd(' '));
    }
}
