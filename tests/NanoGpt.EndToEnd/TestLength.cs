// How long the tests with many seeds run: short on every commit, long by a wish of its own (NANOGPT_LONG=1), and a long form
// in parts where one sitting is too short (NANOGPT_PART=3/10 is the third tenth).

using System.Globalization;

namespace NanoGpt.EndToEnd;

internal static class TestLength
{
    private static readonly int[] PartOf = [.. (Environment.GetEnvironmentVariable("NANOGPT_PART") ?? "1/1").Split('/').Select(n => int.Parse(n, CultureInfo.InvariantCulture))];

    public static bool IsLong { get; } = Environment.GetEnvironmentVariable("NANOGPT_LONG") == "1";

    public static int Choose(int @short, int @long) => IsLong ? @long : @short;

    /// <summary>As <see cref="Choose"/>, for a test that can be done in parts: this part's share of the long form.</summary>
    public static int ChoosePart(int @short, int @long) => IsLong ? @long / PartOf[1] : @short;

    /// <summary>Dice that fall otherwise in each part.</summary>
    public static Random Dice(int seed) => new(seed + 1000 * (PartOf[0] - 1));
}
