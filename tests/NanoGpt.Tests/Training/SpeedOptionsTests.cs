// The public switches of the fast paths: all off, the run is the same run.

namespace NanoGpt.Tests.Training;

public sealed class SpeedOptionsTests
{
    [Fact]
    public void Without_any_fast_path_the_losses_are_the_same()
    {
        var slow = new SpeedOptions { FusedOptimizer = false, ChunkedLoss = false, KeepMemory = false, OneDnnProducts = false };
        var expected = Losses(slow);
        var actual = Losses(new SpeedOptions());
        Assert.Equal(16, expected.Count);
        for (var i = 0; i < expected.Count; i++)
            Assert.Equal(expected[i], actual[i], 1e-5); // float32 sums in another order: the tolerance of the comparison with nanoGPT
    }

    private static List<double> Losses(SpeedOptions speed)
    {
        using var folder = new TemporaryFolder();
        var run = new NanoGptRun("bias-exact");
        using var gpt = run.NewModel();
        var steps = new List<TrainingProgress>();
        var options = run.Options(folder.Path) with { MaxIters = 15, Speed = speed };
        var result = new Trainer(gpt, options).TrainOn(new NanoGptBatches(), new Listener(steps, TrainingEvent.Iteration), TestContext.Current.CancellationToken);
        Assert.Equal(steps[^1].Loss, result.Loss);
        Assert.Equal(steps[^1].Tokens, result.Tokens);
        Assert.True(result.Seconds > 0);
        return [.. steps.Select(step => step.Loss)];
    }
}
