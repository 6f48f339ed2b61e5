// The drawing of curves, without the program around it.

using System.Xml.Linq;
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
    public void Svg_is_valid_and_each_point_lies_inside_the_frame()
    {
        var falling = new Curve("train <loss> & more", [.. Enumerable.Range(0, 200).Select(i => ((double)i * 10, 4.2 * Math.Exp(-i / 60.0)))]);
        var rare = new Curve("val", [(0, 4.3), (1000, 1.9), (1990, double.NaN)]);
        var svg = XDocument.Parse(SvgPlot.Render("A title", "iteration", "loss", [falling, rare]));
        var space = svg.Root!.Name.Namespace;
        var curves = svg.Descendants(space + "polyline").Select(line => line.Attribute("points")!.Value.Split(' ')).ToList();
        Assert.Equal([200, 2], curves.Select(points => points.Length)); // a loss that is not a number is left out
        foreach (var point in curves.SelectMany(points => points))
        {
            var at = point.Split(',').Select(double.Parse).ToArray();
            Assert.InRange(at[0], 64, 776);
            Assert.InRange(at[1], 48, 394);
        }

        Assert.Contains(svg.Descendants(space + "text"), text => text.Value == "train <loss> & more");
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
