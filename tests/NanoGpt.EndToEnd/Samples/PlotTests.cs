// The drawing of curves, without the program around it.

using NanoGpt.Samples.Plots;

namespace NanoGpt.EndToEnd.Samples;

public sealed class PlotTests
{
    [Theory]
    [InlineData(0, 2000, 8, "0,500,1000,1500,2000")]
    [InlineData(1.52, 4.21, 6, "1.5,2.0,2.5,3.0,3.5,4.0,4.5")]
    [InlineData(3.0, 3.0, 4, "2.5,3.0,3.5")]
    [InlineData(-0.02, 0.03, 5, "-0.02,-0.01,0.00,0.01,0.02,0.03")]
    public void Axis_ticks_are_round_numbers_that_enclose_the_values(double low, double high, int count, string expected)
    {
        var axis = Axis.Over([low, high], count, roundEnds: true);
        Assert.Equal(expected, string.Join(',', axis.Ticks.Select(tick => axis.Label(tick).Replace(",", "", StringComparison.Ordinal))));
        Assert.InRange(low, axis.Low, axis.High);
        Assert.InRange(high, axis.Low, axis.High);
    }

    [Fact]
    public void Sparkline_spans_from_the_lowest_block_to_the_highest_and_averages_what_is_too_wide()
    {
        double[] values = [4, 4, 0, 0, 1, 3, 3, 5];
        var points = values.Select((y, x) => ((double)x, y)).ToList();
        Assert.Equal("█▁▄█", TerminalPlot.Sparkline(points, width: 4));
        Assert.Equal("▆▆▁▁▂▅▅█", TerminalPlot.Sparkline(points, width: 80));
    }

    [Fact]
    public void A_growing_curve_stays_small_and_keeps_its_mean()
    {
        var curve = new RunningCurve(capacity: 100);
        for (var i = 0; i < 6400; i++) curve.Add(i, i % 2);
        Assert.InRange(curve.Points.Count, 50, 100);
        Assert.All(curve.Points, point => Assert.Equal(0.5, point.Y));
    }
}
