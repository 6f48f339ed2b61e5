using NanoGpt.Training;

namespace NanoGpt.Tests.Training;

public sealed class LearningRateTests
{
    private static readonly TrainerOptions Options = new()
    {
        LearningRate = 1.0, MinLr = 0.1, WarmupIters = 9, LrDecayIters = 109, MaxIters = 200, WsdDecayFraction = 0.5,
    };

    [Theory]
    [InlineData(LearningRateSchedule.Cosine, 59, 0.55)]
    [InlineData(LearningRateSchedule.Linear, 59, 0.55)]
    [InlineData(LearningRateSchedule.Linear, 34, 0.775)]
    [InlineData(LearningRateSchedule.Constant, 59, 1.0)]
    [InlineData(LearningRateSchedule.Constant, 150, 1.0)]
    [InlineData(LearningRateSchedule.Wsd, 54, 1.0)]
    [InlineData(LearningRateSchedule.Wsd, 109, 0.1)]
    [InlineData(LearningRateSchedule.Cosine, 109, 0.1)]
    [InlineData(LearningRateSchedule.Cosine, 150, 0.1)]
    [InlineData(LearningRateSchedule.Linear, 150, 0.1)]
    [InlineData(LearningRateSchedule.Wsd, 150, 0.1)]
    public void Schedule_passes_through(LearningRateSchedule schedule, int iteration, double expected) =>
        Assert.Equal(expected, LearningRate.At(iteration, Options with { LrSchedule = schedule }), 1e-12); // a few float64 roundings

    [Theory]
    [InlineData(LearningRateSchedule.Cosine)]
    [InlineData(LearningRateSchedule.Linear)]
    [InlineData(LearningRateSchedule.Constant)]
    [InlineData(LearningRateSchedule.Wsd)]
    public void Warmup_rises_in_equal_steps_and_never_overshoots(LearningRateSchedule schedule)
    {
        var options = Options with { LrSchedule = schedule };

        Assert.Equal(0.1, LearningRate.At(0, options), 1e-12);
        Assert.Equal(0.9, LearningRate.At(8, options), 1e-12);
        Assert.Equal(1.0, LearningRate.At(9, options), 1e-12);
        for (var i = 10; i <= 200; i++) Assert.InRange(LearningRate.At(i, options), 0.1, LearningRate.At(i - 1, options));
    }

    [Fact]
    public void Without_decay_there_is_no_warmup_either() =>
        Assert.Equal(1.0, LearningRate.At(0, Options with { DecayLr = false }));

    [Fact]
    public void Decay_that_ends_with_warmup_goes_straight_to_the_minimum()
    {
        var options = Options with { WarmupIters = 10, LrDecayIters = 10 };

        Assert.Equal(0.1, LearningRate.At(10, options));
    }
}
