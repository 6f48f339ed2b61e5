using static NanoGpt.Tests.Training.NanoGptRun;

namespace NanoGpt.Tests.Training;

/// <summary>The ways a run ends, and what it leaves.</summary>
[Collection(nameof(TorchProcess))]
public sealed class EndOfRunTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly NanoGptRun _run = new("bias-exact");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Cancellation_ends_with_a_checkpoint_that_goes_on_to_the_bit()
    {
        var options = Options() with { MaxIters = 19 };
        var (losses, weights) = Train(NewModel(), options with { OutDir = _folder.File("undisturbed") });
        using var stop = new CancellationTokenSource();
        var batches = new NanoGptBatches { OnStep = place => { if (place.Iteration == 11) stop.Cancel(); } };

        using var gpt = NewModel();
        var result = new Trainer(gpt, options with { OutDir = _folder.File("stopped") }).TrainOn(batches, null, stop.Token);
        var (resumedLosses, resumedWeights) = Train(NewModel(), options with { OutDir = _folder.File("stopped"), ResumeFrom = _folder.File("stopped") });

        Assert.Equal(TrainingEnd.Cancelled, result.End);
        Assert.Equal(12, result.Iterations);
        Assert.EndsWith("ckpt-00000012", result.Checkpoint);
        Assert.Equal(losses[12..], resumedLosses);
        Assert.Equal(weights, resumedWeights);
    }

    [Fact]
    public void Cancelled_evaluation_is_not_counted()
    {
        using var gpt = NewModel();
        using var stop = new CancellationTokenSource();
        var trainer = new Trainer(gpt, Options() with { EvalInterval = 5, EvalIters = 20 });
        var batches = new NanoGptBatches { OnEvaluation = place => { if (place is { Iteration: 5, Index: 10 }) stop.Cancel(); } };

        var result = trainer.TrainOn(batches, null, stop.Token);

        Assert.Equal(TrainingEnd.Cancelled, result.End);
        Assert.Equal([0], result.Evaluations.Select(evaluation => evaluation.Iteration));
        Assert.EndsWith("ckpt-00000005", result.Checkpoint);
    }

    [Fact]
    public void Early_stopping_waits_for_its_patience()
    {
        using var gpt = NewModel();
        var options = Options() with { EvalInterval = 1, LearningRate = 0, MinLr = 0, EarlyStoppingPatience = 3 };

        var result = new Trainer(gpt, options).TrainOn(new NanoGptBatches(), null, Token);

        Assert.Equal(TrainingEnd.EarlyStopped, result.End);
        Assert.Equal([0, 1, 2, 3], result.Evaluations.Select(evaluation => evaluation.Iteration));
    }

    [Fact]
    public void Early_stopping_counts_anew_after_each_improvement()
    {
        using var gpt = NewModel();
        var options = Options() with { MaxIters = 20, EvalInterval = 2, EvalIters = 8, LearningRate = 1e-2, MinLr = 1e-2, WarmupIters = 0, EarlyStoppingPatience = 2 };

        var result = new Trainer(gpt, options).TrainOn(new NanoGptBatches(), null, Token);

        Assert.Equal(TrainingEnd.Completed, result.End);
        Assert.True(result.Evaluations.Count(evaluation => evaluation.IsBest) > 4, "the batches are few: their loss falls");
    }

    [Fact]
    public void The_last_step_after_an_evaluation_is_not_saved_once_more_and_nothing_is_done_twice_after_a_resume()
    {
        var options = Options() with { MaxIters = 8, EvalInterval = 4, SaveInterval = 8, KeepCheckpoints = 0 };
        using var gpt = NewModel();
        var first = new Trainer(gpt, options).TrainOn(new NanoGptBatches { OnStep = place => Thread.Sleep(place.Iteration == 0 ? 500 : 0) }, null, Token);
        var said = new List<TrainingProgress>();

        var second = new Trainer(gpt, options with { MaxIters = 11, ResumeFrom = _folder.Path }).TrainOn(new NanoGptBatches(), new Listener(said), Token);

        Assert.Equal([0, 4, 8], first.Evaluations.Select(evaluation => evaluation.Iteration)); // nanoGPT ends after step 8, one step after its checkpoint
        Assert.Equal(_folder.File("ckpt-00000008"), first.Checkpoint);
        Assert.Empty(second.Evaluations);
        Assert.Equal([12], said.Where(progress => progress.Event == TrainingEvent.Checkpoint).Select(progress => progress.Iteration));
        Assert.Equal([8, 9, 10, 11], said.Where(progress => progress.Event == TrainingEvent.Iteration).Select(progress => progress.Iteration));
        Assert.Equal(first.Tokens / 9 * 12, second.Tokens);
        Assert.True(second.Seconds > 0.5, "the time before counts");
    }

    [Fact]
    public void Time_limit_ends_with_a_checkpoint()
    {
        using var gpt = NewModel();

        var result = new Trainer(gpt, Options() with { MaxSeconds = 1e-9, MaxIters = 1000 }).TrainOn(new NanoGptBatches(), null, Token);
        Assert.Equal(TrainingEnd.OutOfTime, result.End);
        Assert.Equal(0, result.Iterations);
        Assert.Null(result.Checkpoint); // nothing was done that could be lost

        var slow = new NanoGptBatches { OnStep = _ => Thread.Sleep(300) };
        result = new Trainer(gpt, Options() with { MaxSeconds = 0.5, MaxIters = 1000 }).TrainOn(slow, null, Token);
        Assert.Equal(TrainingEnd.OutOfTime, result.End);
        Assert.InRange(result.Iterations, 1, 3);
        Assert.NotNull(result.Checkpoint);
    }

    [Fact]
    public void Eval_only_evaluates_once_also_after_a_resume()
    {
        Train(NewModel(), Options() with { MaxIters = 5 });
        var files = Files();
        using var gpt = NewModel();

        var result = new Trainer(gpt, Options() with { ResumeFrom = _folder.Path, EvalOnly = true, Report = true }).TrainOn(new NanoGptBatches(), null, Token);
        new Trainer(gpt, Options() with { EvalOnly = true, Tensorboard = true }).TrainOn(new NanoGptBatches(), null, Token);

        Assert.Equal([6], result.Evaluations.Select(evaluation => evaluation.Iteration));
        Assert.Equal(6, result.Iterations);
        Assert.Equal(files, Files()); // the run that lies there is as it was

        string[] Files() => [.. Directory.GetFileSystemEntries(_folder.Path, "*", SearchOption.AllDirectories).Order().Select(path => path + File.GetLastWriteTimeUtc(path).Ticks)];
    }

    private TrainerOptions Options() => _run.Options(_folder.Path) with { MaxIters = 24, EvalInterval = 1000 };

    private GPT NewModel() => _run.NewModel();


}
