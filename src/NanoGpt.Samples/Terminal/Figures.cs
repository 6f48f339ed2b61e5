// Sizes and times as people read them.

using System.Globalization;

namespace NanoGpt.Samples.Terminal;

internal static class Figures
{
    private static readonly string[] ByteUnits = ["B", "KB", "MB", "GB", "TB"];

    /// <summary>"4.0 MB": decimal units, as disks and the Hub count.</summary>
    public static string Bytes(double count)
    {
        var unit = 0;
        for (; count >= 1000 && unit < ByteUnits.Length - 1; unit++) count /= 1000;
        return count.ToString(unit == 0 ? "0" : count < 100 ? "0.0" : "0", CultureInfo.InvariantCulture) + " " + ByteUnits[unit];
    }

    /// <summary>"0:42", "12:07", "3:04:05".</summary>
    public static string Duration(TimeSpan time) =>
        time.TotalHours >= 1
            ? FormattableString.Invariant($"{(int)time.TotalHours}:{time.Minutes:00}:{time.Seconds:00}")
            : FormattableString.Invariant($"{time.Minutes}:{time.Seconds:00}");

    /// <summary>"1,003,854".</summary>
    public static string Count(double count) => count.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>"124.4M", "10.6K": for parameters and tokens a second.</summary>
    public static string Short(double count) => count switch
    {
        >= 1e9 => (count / 1e9).ToString("0.0", CultureInfo.InvariantCulture) + "B",
        >= 1e6 => (count / 1e6).ToString("0.0", CultureInfo.InvariantCulture) + "M",
        >= 1e4 => (count / 1e3).ToString("0.0", CultureInfo.InvariantCulture) + "K",
        _ => count.ToString("0", CultureInfo.InvariantCulture),
    };
}
