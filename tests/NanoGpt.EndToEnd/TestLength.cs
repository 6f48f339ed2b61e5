// How long the tests with many seeds run: short on every commit, long by a wish of its own (NANOGPT_LONG=1).

namespace NanoGpt.EndToEnd;

internal static class TestLength
{
    public static bool IsLong { get; } = Environment.GetEnvironmentVariable("NANOGPT_LONG") == "1";

    public static int Choose(int @short, int @long) => IsLong ? @long : @short;
}
