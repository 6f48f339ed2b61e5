// Promise 10: a loss or a gradient that is not finite ends the run before the step, and no checkpoint has it.

using TorchSharp;

namespace NanoGpt.EndToEnd.Training;

[Collection(nameof(TorchProcess))]
public sealed class DivergenceTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("nanogpt-diverged-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData(0)]
    [InlineData(0.1)]
    public void Runs_that_diverge_at_any_step_leave_nothing_of_it(double dropout)
    {
        var run = new SmallRun(dropout);
        var times = TestLength.ChoosePart(6, 200);
        var outDir = Path.Combine(_folder.FullName, "out");
        var dice = TestLength.Dice(17);

        for (var (i, at) = (0, 0); i < times; i++)
        {
            at += dice.Next(1, 8);
            using var gpt = run.NewModel();
            using var data = SmallRun.NewData(gpt.Tokenizer);
            var options = SmallRun.Options(outDir, 1_000_000) with { ResumeFrom = i == 0 ? null : outDir };

            var error = Assert.Throws<TrainingDivergedException>(() =>
                new Trainer(gpt, options).Train(data, new Poison(gpt, at, dice, poisonsGradients: dropout > 0), TestContext.Current.CancellationToken));

            Assert.Contains($"iteration {at}:", error.Message);
            Assert.Equal(at, Checkpoint.FindNewest(outDir)!.Iteration); // saved before the poison; not one after it
        }

        run.MustEqualAnUndisturbedRun(outDir);
        TestContext.Current.TestOutputHelper?.WriteLine($"{times} runs with dropout {dropout} poisoned over {Checkpoint.FindNewest(outDir)!.Iteration} steps: each stopped before the step");
    }

    /// <summary>After the checkpoint of a step, makes a weight infinite or no number, or a gradient that autograd will add to.</summary>
    private sealed class Poison(GPT gpt, int at, Random dice, bool poisonsGradients) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value)
        {
            if (value.Event != TrainingEvent.Checkpoint || value.Iteration != at) return;
            using var scope = torch.NewDisposeScope();
            using var noGrad = torch.no_grad();
            var parameters = gpt.Network.parameters().ToList();
            var victim = parameters[dice.Next(parameters.Count)];
            var poison = new[] { float.NaN, float.PositiveInfinity, float.NegativeInfinity }[dice.Next(3)];
            if (poisonsGradients && dice.Next(2) == 0) victim.grad = torch.full_like(victim, poison).DetachFromDisposeScope();
            else victim.fill_(poison);
        }
    }
}
