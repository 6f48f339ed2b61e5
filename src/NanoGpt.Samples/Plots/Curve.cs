// What a plot draws: named points. Where they come from, and how they are drawn, is elsewhere.

namespace NanoGpt.Samples.Plots;

/// <summary>Points in the order of x.</summary>
/// <param name="Name">Shown in the legend.</param>
/// <param name="Points">At least one.</param>
internal sealed record Curve(string Name, IReadOnlyList<(double X, double Y)> Points);

/// <summary>A range of values and the round numbers to write beside it.</summary>
internal sealed class Axis
{
    private Axis(double low, double high, double step)
    {
        Low = low;
        High = high;
        Step = step;
    }

    public double Low { get; }

    public double High { get; }

    public double Step { get; }

    public IEnumerable<double> Ticks
    {
        get
        {
            var first = Math.Ceiling(Low / Step - 1e-9);
            for (var i = 0; (first + i) * Step <= High + 1e-9 * Step; i++) yield return (first + i) * Step;
        }
    }

    /// <summary>An axis over <paramref name="values"/> with about <paramref name="tickCount"/> ticks at 1, 2 or 5 times a power of ten.</summary>
    /// <param name="values">At least one.</param>
    /// <param name="tickCount">Wished for; the axis may have a few more or fewer.</param>
    /// <param name="roundEnds">Whether to widen the range to whole ticks.</param>
    public static Axis Over(IEnumerable<double> values, int tickCount, bool roundEnds)
    {
        var finite = values.Where(double.IsFinite).DefaultIfEmpty(0).ToList();
        double low = finite.Min(), high = finite.Max();
        if (high - low < 1e-9) (low, high) = (low - 0.5, high + 0.5);

        var rough = (high - low) / tickCount;
        var power = Math.Pow(10, Math.Floor(Math.Log10(rough)));
        var step = power * (rough / power) switch { <= 1 => 1, <= 2 => 2, <= 5 => 5, _ => 10 };
        return roundEnds
            ? new Axis(Math.Floor(low / step + 1e-9) * step, Math.Ceiling(high / step - 1e-9) * step, step)
            : new Axis(low, high, step);
    }

    /// <summary>Where <paramref name="value"/> lies, from 0 (low end) to 1 (high end).</summary>
    public double Position(double value) => (value - Low) / (High - Low);

    /// <summary>The tick as text, with as many decimals as the step needs.</summary>
    public string Label(double tick)
    {
        var decimals = Math.Max(0, -(int)Math.Floor(Math.Log10(Step) + 1e-9));
        return (Math.Abs(tick) < Step / 1e6 ? 0 : tick).ToString((Step >= 1000 ? "N" : "F") + decimals, System.Globalization.CultureInfo.InvariantCulture);
    }
}
