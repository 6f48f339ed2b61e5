using NanoGpt.Training;

namespace NanoGpt.Tests.Training;

public sealed class OutlierDetectorTests
{
    [Fact]
    public void Nothing_is_judged_before_fifty_steps()
    {
        Assert.Equal(0, After(49).Score(1000, 1000));
        Assert.True(After(50).Score(1000, 1) > 100);
        Assert.True(After(50).Score(2, 1000) > 100);
    }

    [Fact]
    public void The_score_counts_standard_deviations_above_the_mean_of_the_one_that_is_further()
    {
        // Losses alternate 1.9 and 2.1, lengths 0.9 and 1.1: a deviation of 0.1 each.
        var usual = After(50);

        Assert.Equal(5, usual.Score(2.5, 1), 0.2);
        Assert.Equal(7, usual.Score(2, 1.7), 0.2);
        Assert.True(usual.Score(1, 0.5) < 0, "what lies below is no outlier");
    }

    [Fact]
    public void It_remembers_about_fifty_steps()
    {
        var usual = After(200);
        for (var i = 0; i < 50; i++) usual = usual.With(4, 1);

        Assert.Equal(4 - 2 * Math.Pow(0.98, 50), usual.LossMean, 0.01);
    }

    [Fact]
    public void A_curve_that_has_become_flat_does_not_make_everything_an_outlier()
    {
        var flat = new OutlierDetector();
        for (var i = 0; i < 60; i++) flat = flat.With(2, 1);

        Assert.InRange(flat.Score(2.001, 1), 0.4, 0.6); // a thousandth of the mean counts as a deviation
    }

    private static OutlierDetector After(int steps)
    {
        var usual = new OutlierDetector();
        for (var i = 0; i < steps; i++) usual = usual.With(i % 2 == 0 ? 1.9 : 2.1, i % 2 == 0 ? 0.9 : 1.1);
        return usual;
    }
}
