// One run from start to end, apart from the loop: what it holds, where it stands, what is due, and what is told. The loop
// itself is Trainer.cs; how a run is set up, RunStart.cs.

using System.Diagnostics;
using System.Globalization;
using NanoGpt.Data;
using static TorchSharp.torch;

namespace NanoGpt.Training;

/// <summary>What the training loop works on, and the bookkeeping of each step.</summary>
internal sealed class TrainingRun : IDisposable
{
    private const int IterationsBeforeMfu = 5; // the first ones are slow and say nothing

    private readonly GPT _gpt;
    private readonly Device _device;
    private readonly IBatches _data;
    private readonly SpeedLevers _levers;
    private readonly OutputFolder _folder;
    private readonly CheckpointStore _checkpoints;
    private readonly RunFiles _files;
    private readonly RunVoice _voice;
    private readonly Activity? _activity;
    private readonly bool _wasTraining;
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly List<EvaluationResult> _evaluations = [];
    private readonly double _secondsBefore;
    private readonly long[] _x, _y;
    private TrainingProgress _last;
    private long _stepStarted;
    private int _localIterations;
    private int _savedIteration;
    private string? _savedFolder;

    public TrainingRun(
        GPT gpt, Device device, TrainerOptions options, IBatches data, FusedAdamW optimizer, SpeedLevers levers, TrainerState state,
        OutputFolder folder, CheckpointStore checkpoints, RunFiles files, RunVoice voice, Activity? activity)
    {
        (_gpt, _device, _data, _folder, _checkpoints, _files, _voice, _activity) = (gpt, device, data, folder, checkpoints, files, voice, activity);
        _levers = levers;
        (Options, Network, Optimizer, State) = (options, gpt.Network, optimizer, state);
        _wasTraining = Network.training;
        _secondsBefore = state.Seconds;
        _savedIteration = state.Iteration;
        _x = new long[options.BatchSize * options.BlockSize!.Value];
        _y = new long[_x.Length];
        _last = new TrainingProgress
        {
            Event = TrainingEvent.Notice, Iteration = state.Iteration, MaxIters = options.MaxIters, Tokens = state.Tokens,
        };
        Network.train();
        Optimizer.ZeroGrad();
    }

    /// <summary>The options, their nulls filled in.</summary>
    public TrainerOptions Options { get; }

    public GPTModel Network { get; }

    public FusedAdamW Optimizer { get; }

    /// <summary>Where the run stands. Replaced as a whole, so that a checkpoint never sees half a step.</summary>
    public TrainerState State { get; private set; }

    public bool IsOutOfTime => Options.MaxSeconds > 0 && _clock.Elapsed.TotalSeconds >= Options.MaxSeconds;

    public bool IsEvaluationDue =>
        Options.EvalOnly || (State.Iteration % Options.EvalInterval == 0 && State.Iteration != State.LastEvaluation);

    public bool IsSaveDue =>
        Options.SaveInterval > 0 && State.Iteration % Options.SaveInterval == 0 && State.Iteration != _savedIteration;

    public bool IsSampleDue => (_evaluations.Count - 1) % Options.SampleInterval == 0;

    public bool IsPatienceOver =>
        Options.EarlyStoppingPatience > 0 && State.EvaluationsWithoutImprovement >= Options.EarlyStoppingPatience;

    /// <summary>Draws the batch at a place. False where a mask leaves nothing to learn in it, which has no mean loss.</summary>
    public bool Draw(BatchPlace place)
    {
        _data.Fill(place, Options.BlockSize!.Value, _x, _y);
        return _y.AsSpan().ContainsAnyExcept(-1);
    }

    /// <summary>The mean loss of the batch drawn last, without dropout.</summary>
    public double Loss() => _levers.Pass.Loss(_x, _y);

    /// <summary>Forward and backward with the batch drawn last: adds its share to the gradients, and returns its share of the loss.</summary>
    /// <param name="seed">Decides what dropout drops.</param>
    public double AddGradients(long seed) =>
        _levers.Pass.AddGradients(_x, _y, 1.0 / Options.GradientAccumulationSteps!.Value, State.LossScale.Factor, seed);

    public void StartClock() => _stepStarted = Stopwatch.GetTimestamp();

    /// <summary>Whether a step is to be left out; if so it is counted, and said.</summary>
    public bool IsOutlier(double loss, double norm)
    {
        var score = State.Usual.Score(loss, norm);
        if (Options.SkipOutliers == 0 || score <= Options.SkipOutliers)
        {
            State = State with { Usual = State.Usual.With(loss, norm) };
            return false;
        }

        State = State with { SkippedSteps = State.SkippedSteps + 1 };
        TrainingTelemetry.SkippedStep();
        Say(TrainingEvent.Warning, Invariant(
            $"iter {State.Iteration}: step left out, loss {loss:F4} and gradient length {norm:F4} are {score:F1} standard deviations above the usual ({State.SkippedSteps} so far)"));
        return true;
    }

    /// <summary>After a gradient that was not finite: true if only the factor of the loss was too high, which is lower then.</summary>
    public bool CanLowerLossScale()
    {
        if (State.LossScale.AfterOverflow() is not { } lower) return false;
        State = State with { LossScale = lower };
        return true;
    }

    /// <summary>A step is done: counts it, tells of it.</summary>
    public void Completed(double loss, double norm, double learningRate)
    {
        var time = Stopwatch.GetElapsedTime(_stepStarted);
        var tokens = Preflight.TokensPerIteration(Options);
        var isLogged = State.Iteration % Options.LogInterval == 0;
        var mfu = isLogged && _localIterations >= IterationsBeforeMfu ? RunningMfu(tokens / time.TotalSeconds) : _last.Mfu;
        _last = _last with
        {
            Event = TrainingEvent.Iteration,
            Iteration = State.Iteration,
            Loss = loss,
            GradNorm = norm,
            LearningRate = learningRate,
            IterationTime = time,
            TokensPerSecond = tokens / time.TotalSeconds,
            Mfu = mfu,
            Tokens = State.Tokens + tokens,
            Text = isLogged ? LogLines.Iteration(State.Iteration, loss, time.TotalMilliseconds, mfu) : null,
        };
        if (double.IsFinite(norm)) State = State with { LossScale = State.LossScale.AfterStep() };
        State = State with { Iteration = State.Iteration + 1, Tokens = State.Tokens + tokens, Seconds = _secondsBefore + _clock.Elapsed.TotalSeconds };
        _localIterations++;

        TrainingTelemetry.Step(_last, tokens);
        if (isLogged) _files.Step(_last);
        _voice.Say(_last);
    }

    /// <summary>An evaluation is done: keeps the best, tells of it.</summary>
    public EvaluationResult Evaluated(double trainLoss, double valLoss)
    {
        var iteration = State.Iteration;
        if (!double.IsFinite(valLoss) || !double.IsFinite(trainLoss)) throw Diverged($"an evaluation gave train loss {trainLoss} and val loss {valLoss}", _last.LearningRate);

        var isBest = State.Best is not { } best || valLoss < best.Loss;
        var result = new EvaluationResult(iteration, trainLoss, valLoss, isBest);
        State = State with
        {
            Best = isBest ? (iteration, valLoss) : State.Best,
            LastEvaluation = iteration,
            EvaluationsWithoutImprovement = isBest ? 0 : State.EvaluationsWithoutImprovement + 1,
        };
        _evaluations.Add(result);

        TrainingTelemetry.Evaluation(result);
        _files.Evaluation(result);
        _last = _last with { Evaluation = result };
        Say(TrainingEvent.Evaluation, LogLines.Evaluation(iteration, trainLoss, valLoss));
        return result;
    }

    public void Sampled(string text)
    {
        _files.Sample(State.Iteration, text);
        Say(TrainingEvent.Sample, text);
    }

    /// <summary>Draws the report as the run stands, where there is to be one.</summary>
    /// <param name="isRunning">Whether the run goes on.</param>
    public void DrawReport(bool isRunning)
    {
        if (!Options.Report || Options.EvalOnly) return;
        try
        {
            RunReport.Write(Path.Combine(_folder.FullPath, OutputFolder.ReportFile), [_folder.FullPath], isRunning);
        }
        catch (NanoGptException e)
        {
            Say(TrainingEvent.Warning, e.Message); // a picture is no reason to stop
        }
    }

    /// <summary>Saves a checkpoint of this moment.</summary>
    public void Save(bool isBest)
    {
        using var activity = TrainingTelemetry.Activities.StartActivity("nanogpt.checkpoint");
        CheckWeights();
        State = State with { Seconds = _secondsBefore + _clock.Elapsed.TotalSeconds };
        _savedFolder = _checkpoints.Save(State.Iteration, isBest, folder => TrainingCheckpoint.Write(folder, _gpt, Optimizer, State));
        _savedIteration = State.Iteration;
        Say(TrainingEvent.Checkpoint, $"saving checkpoint to {_savedFolder}");
    }

    /// <summary>The run is over: saves what would be lost, tells of it, and sums up.</summary>
    public TrainingResult End(TrainingEnd end)
    {
        var unsaved = State.Iteration - _savedIteration;
        var save = end switch
        {
            TrainingEnd.Cancelled or TrainingEnd.OutOfTime => unsaved > 0,
            // One step after the last evaluation's checkpoint is where nanoGPT ends: no need for a second one.
            TrainingEnd.Completed => unsaved > 1 && Options.AlwaysSaveCheckpoint && !Options.EvalOnly,
            _ => false,
        };
        if (save) Save(isBest: false);

        if (State.Iteration > 0 || _evaluations.Count > 0) DrawReport(isRunning: false);
        Say(TrainingEvent.Finished, null);
        return new TrainingResult
        {
            End = end,
            Iterations = State.Iteration,
            Tokens = State.Tokens,
            Seconds = _secondsBefore + _clock.Elapsed.TotalSeconds,
            Loss = _last.Loss,
            BestValLoss = State.Best?.Loss ?? double.NaN,
            BestIteration = State.Best?.Iteration ?? -1,
            Evaluations = _evaluations,
            Checkpoint = _savedFolder,
        };
    }

    /// <summary>The exception for a loss or gradient that is not finite at the present step.</summary>
    public TrainingDivergedException Diverged(string what, double learningRate)
    {
        Optimizer.ZeroGrad();
        var place = new BatchPlace(DataSplit.Train, Evaluation: false, State.Iteration, 0);
        return new TrainingDivergedException(Invariant(
            $"Training diverged at iteration {State.Iteration}: {what}, with learning rate {learningRate:G4} and the batch at {Describe(place)}. ")
            + "The weights are those before this step, and no checkpoint has it. Try a lower learning_rate, a longer warmup_iters, "
            + $"grad_clip {(Options.GradClip == 0 ? "1.0 (it is off)" : $"below {Options.GradClip.ToString(CultureInfo.InvariantCulture)}")}, dtype float32, "
            + "or skip_outliers 6; and look at that part of the data.");
    }

    public void Dispose()
    {
        Optimizer.ZeroGrad();
        Optimizer.Dispose();
        _levers.Dispose();
        Network.train(_wasTraining);
        _files.Dispose();
        _folder.Dispose();
        _activity?.Dispose();
    }

    // The loss of the last step was taken before it: a step too long shows only in the weights.
    private void CheckWeights()
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        foreach (var (name, parameter) in Network.named_parameters())
        {
            if (!parameter.isfinite().all().item<bool>())
                throw Diverged($"{name} has values that are not finite", _last.LearningRate);
        }
    }

    private double RunningMfu(double tokensPerSecond)
    {
        var mfu = ModelFlops.Utilisation(Network.Config, Options.BlockSize!.Value, tokensPerSecond, _device, Network.ProductType ?? float32);
        return _last.Mfu < 0 ? mfu : 0.9 * _last.Mfu + 0.1 * mfu;
    }

    private string Describe(BatchPlace place) => _data.Describe(place, Options.BatchSize, Options.BlockSize!.Value);

    private void Say(TrainingEvent what, string? text) =>
        _voice.Say(_last with { Event = what, Text = text, Iteration = State.Iteration });

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);
}
