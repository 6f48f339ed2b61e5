using NanoGpt.Training;
using static TorchSharp.torch;

namespace NanoGpt.Tests.Training;

[Collection(nameof(TorchProcess))]
public sealed class LossScaleTests
{
    [Fact]
    public void Factor_doubles_after_2000_good_steps_and_halves_at_an_overflow_until_it_is_not_its_fault()
    {
        var scale = LossScale.Initial;
        for (var i = 0; i < 2000; i++) scale = scale.AfterStep();
        Assert.Equal(new LossScale(131072, 0), scale);

        var halvings = 0;
        for (; scale.AfterOverflow() is { } lower; scale = lower) halvings++;
        Assert.Equal(16, halvings); // from 2^17 to 2
        Assert.Null(LossScale.None.AfterOverflow());
        Assert.Same(LossScale.None, LossScale.None.AfterStep());
    }

    [Theory]
    [InlineData((int)AdamWBackend.Pass)]
    [InlineData((int)AdamWBackend.Plain)]
    public void A_scaled_loss_makes_the_same_step_to_the_bit(int backend)
    {
        var plain = Step(lossScale: 1, (AdamWBackend)backend);
        var scaled = Step(lossScale: 65536, (AdamWBackend)backend);

        Assert.Equal(plain.Norm, scaled.Norm, 1e-6);
        Assert.Equal(plain.Weights, scaled.Weights); // powers of two round nothing
    }

    private static (double Norm, float[] Weights) Step(double lossScale, AdamWBackend backend)
    {
        set_num_threads(1);
        using var scope = NewDisposeScope();
        random.manual_seed(5);
        var weight = new TorchSharp.Modules.Parameter(randn(8, 8));
        using var optimizer = new FusedAdamW([("w", weight, true)], new AdamWOptions { Backend = backend });
        var loss = weight.pow(2).sum();
        (loss * lossScale).backward();
        var norm = optimizer.Step(1e-2, maxGradNorm: 0.5, lossScale);
        return (norm, weight.data<float>().ToArray());
    }
}
