namespace NanoGpt.Tests;

/// <summary>Comparisons of whole arrays, with the worst element in the message.</summary>
internal static class Close
{
    public static void Within(double tolerance, ReadOnlySpan<float> expected, ReadOnlySpan<float> actual, string what)
    {
        Assert.True(expected.Length == actual.Length, $"{what}: {actual.Length} values, expected {expected.Length}.");
        var (worst, index) = Worst(expected, actual);
        Assert.True(worst <= tolerance, $"{what}: off by {worst:E2} at {index} ({actual[index]} for {expected[index]}), allowed {tolerance:E1}.");
    }

    public static double Distance(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual) => Worst(expected, actual).Distance;

    private static (double Distance, int Index) Worst(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual)
    {
        var (worst, at) = (0.0, 0);
        for (var i = 0; i < expected.Length; i++)
        {
            var distance = Math.Abs((double)expected[i] - actual[i]);
            if (distance <= worst) continue; // NaN is caught below
            (worst, at) = (distance, i);
        }

        for (var i = 0; i < actual.Length; i++)
        {
            if (!float.IsFinite(actual[i]) && actual[i] != expected[i]) return (double.PositiveInfinity, i);
        }

        return (worst, at);
    }
}
