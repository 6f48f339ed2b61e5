namespace NanoGpt.Tests.Training;

public sealed class TrainerTests
{
    [Theory]
    [InlineData("nobias-exact")]
    [InlineData("nobias-tanh")]
    [InlineData("bias-exact")]
    [InlineData("bias-tanh")]
    [InlineData("bias-tanh-accum2")]
    [InlineData("nobias-exact-noclip-nodecay")]
    public void Training_repeats_nanoGPT_step_by_step(string name)
    {
        var run = new NanoGptRun(name);
        using var folder = new TemporaryFolder();
        using var gpt = run.NewModel();
        var steps = new List<TrainingProgress>();
        var options = run.Options(folder.Path);

        new Trainer(gpt, options).TrainOn(
            new NanoGptBatches(options.GradientAccumulationSteps!.Value), new Listener(steps, TrainingEvent.Iteration), TestContext.Current.CancellationToken);

        Assert.Equal(run.Steps.Count, steps.Count);
        for (var i = 0; i < steps.Count; i++)
        {
            var expected = run.Steps[i];
            Assert.Equal(expected.GetProperty("lr").GetDouble(), steps[i].LearningRate); // the same float64 arithmetic
            Assert.Equal(expected.GetProperty("loss").GetDouble(), steps[i].Loss, 1e-5); // float32 against float64 differ by 7e-7
            if (expected.GetProperty("grad_norm").ValueKind != System.Text.Json.JsonValueKind.Null)
                Assert.Equal(expected.GetProperty("grad_norm").GetDouble(), steps[i].GradNorm, 1e-5);
        }

        Assert.InRange(run.FinalWeightsDifference(gpt.Network), 0, 1e-5); // float32 against float64 differ by 1.3e-6
    }
}
