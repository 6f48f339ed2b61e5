using System.Text.Json;

namespace NanoGpt.Tests.Training;

/// <summary>What a run tells while it goes on, and when.</summary>
[Collection(nameof(TorchProcess))]
public sealed class ProgressTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly NanoGptRun _run = new("nobias-exact");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Lines_and_metrics_come_at_the_log_interval_and_progress_at_each_step()
    {
        var said = Train(Options() with { MaxIters = 7, LogInterval = 3 });

        Assert.Equal([0, 1, 2, 3, 4, 5, 6, 7], Steps(said).Select(step => step.Iteration));
        Assert.Equal([0, 3, 6], Steps(said).Where(step => step.Text is not null).Select(step => step.Iteration));
        Assert.Equal([0, 3, 6], File.ReadLines(_folder.File("metrics.jsonl")).Select(line => JsonDocument.Parse(line).RootElement)
            .Where(line => line.TryGetProperty("loss", out _)).Select(line => line.GetProperty("iter").GetInt32()));
        Assert.Equal(["iter 0", "iter 3", "iter 6"], File.ReadLines(_folder.File("log.txt")).Where(line => line.StartsWith("iter ", StringComparison.Ordinal)).Select(line => line[..6]));
    }

    [Fact]
    public void Model_flops_utilisation_is_a_running_mean_from_the_sixth_step_on()
    {
        // nanoGPT: -1 for the first five, then the step's own, then 0.9 of the mean and 0.1 of the step's own. The step's own is its
        // speed times a constant: this model is far too small to reach what is taken for the machine's peak.
        var steps = Steps(Train(Options() with { MaxIters = 9 }));

        Assert.All(steps[..5], step => Assert.Equal(-1, step.Mfu));
        var utilisation = steps[5].Mfu / steps[5].TokensPerSecond;
        Assert.InRange(steps[5].Mfu, double.Epsilon, 1); // tests of other classes raise what is taken for the peak
        for (var i = 6; i < steps.Count; i++)
            Assert.Equal(0.9 * steps[i - 1].Mfu + 0.1 * utilisation * steps[i].TokensPerSecond, steps[i].Mfu, 1e-9 * steps[i].Mfu);
    }

    [Fact]
    public void The_report_loads_itself_again_until_the_run_is_over()
    {
        var seen = new List<bool>();
        var onStep = new NanoGptBatches { OnStep = place => { if (place.Iteration is 0 or 4) seen.Add(IsRefreshed()); } };

        Train(Options() with { MaxIters = 5, EvalInterval = 4, Report = true }, onStep);

        Assert.Equal([true, true], seen);
        Assert.False(IsRefreshed());

        bool IsRefreshed() => File.ReadAllText(_folder.File("report.html")).Contains("http-equiv=\"refresh\"", StringComparison.Ordinal);
    }

    [Fact]
    public void An_exception_of_the_callers_ends_the_run_and_leaves_model_and_folder_free()
    {
        using var gpt = _run.NewModel();
        gpt.Network.eval();
        var own = new InvalidOperationException("the caller's");
        var options = Options() with { MaxIters = 5, EvalInterval = 2 };
        void Run(Action<EvaluationResult>? onEvaluation, Func<GPT, string>? drawSample) =>
            new Trainer(gpt, options) { OnEvaluation = onEvaluation, DrawSample = drawSample }.TrainOn(new NanoGptBatches(), null, TestContext.Current.CancellationToken);

        Assert.Same(own, Assert.Throws<InvalidOperationException>(() => Run(evaluation => _ = evaluation.Iteration == 4 ? throw own : 0, null)));
        Assert.Same(own, Assert.Throws<InvalidOperationException>(() => Run(null, _ => throw own)));

        Assert.False(gpt.Network.training);
        Assert.All(gpt.Network.parameters(), parameter => Assert.Null(parameter.grad));
        Run(null, null);
    }

    private TrainerOptions Options() => _run.Options(_folder.Path);

    private static List<TrainingProgress> Steps(List<TrainingProgress> said) => said.FindAll(progress => progress.Event == TrainingEvent.Iteration);

    private List<TrainingProgress> Train(TrainerOptions options, NanoGptBatches? batches = null)
    {
        var said = new List<TrainingProgress>();
        using var gpt = _run.NewModel();
        new Trainer(gpt, options).TrainOn(batches ?? new NanoGptBatches(), new Listener(said), TestContext.Current.CancellationToken);
        return said;
    }
}
