// The training loop, as nanoGPT's train.py has it: evaluate, save, accumulate gradients, clip, step, log, again. What the
// loop uses lies in Training/; how text becomes batches, in Data/; what the model is, in GPTModel.cs.

using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using NanoGpt.Data;
using NanoGpt.Training;
using static TorchSharp.torch;

namespace NanoGpt;

/// <summary>Trains or fine-tunes a <see cref="GPT"/>, with checkpoints that a killed run goes on from to the bit.</summary>
/// <remarks>
/// One run at a time, on a model that nobody else uses meanwhile. The model stays the caller's: training changes its
/// weights and disposes nothing. On the CPU the same options, data and seed give the same weights, interrupted or not.
/// </remarks>
public sealed class Trainer
{
    private readonly GPT _gpt;
    private readonly TrainerOptions _options;
    private readonly ILogger _log;

    /// <summary>Prepares a run; nothing happens before <see cref="Train"/>.</summary>
    /// <param name="gpt">The model to train.</param>
    /// <param name="options">How; null for nanoGPT's defaults, which are for GPT-2 on a GPU.</param>
    /// <param name="loggerFactory">Receives the log lines, with event ids; null for silence.</param>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    public Trainer(GPT gpt, TrainerOptions? options = null, ILoggerFactory? loggerFactory = null)
    {
        ArgumentNullException.ThrowIfNull(gpt);
        _gpt = gpt;
        _options = options ?? new TrainerOptions();
        _options.Validate();
        _log = (loggerFactory ?? NullLoggerFactory.Instance).CreateLogger<Trainer>();
    }

    /// <summary>Called after each evaluation, on the training thread, before the checkpoint is written.</summary>
    public Action<EvaluationResult>? OnEvaluation { get; init; }

    /// <summary>
    /// Draws a text with the model as it is, on the training thread, each <see cref="TrainerOptions.SampleInterval"/>
    /// evaluations; null for none. The text goes to <see cref="TrainingProgress"/>, the metrics and the report.
    /// </summary>
    public Func<GPT, string>? DrawSample { get; init; }

    /// <summary>Trains until <see cref="TrainerOptions.MaxIters"/>, or until something in the options or the token ends it.</summary>
    /// <param name="data">The text to learn from. Stays the caller's.</param>
    /// <param name="progress">Told of everything that happens, on the training thread; null for nobody.</param>
    /// <param name="cancellationToken">Ends the run at the next iteration, with a checkpoint. This is no error: see <see cref="TrainingResult.End"/>.</param>
    /// <exception cref="ArgumentException">The options don't fit the model or the data.</exception>
    /// <exception cref="TrainingDivergedException">A loss or gradient was not finite. The weights are those before that step.</exception>
    /// <exception cref="CheckpointException">A checkpoint could not be written, or there is none to resume from.</exception>
    /// <exception cref="BackendException">libtorch or the device cannot be used, or its memory is too small.</exception>
    public TrainingResult Train(
        TokenDataset data, IProgress<TrainingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(data);
        var batches = new DatasetBatches(data, _options.Seed);
        if (!_options.Speed.BatchesAhead) return TrainOn(batches, progress, cancellationToken);
        using var ahead = new BatchesAhead(batches);
        return TrainOn(ahead, progress, cancellationToken);
    }

    /// <summary><see cref="Train"/> on a thread of its own.</summary>
    /// <inheritdoc cref="Train" path="/param|/exception"/>
    public Task<TrainingResult> TrainAsync(
        TokenDataset data, IProgress<TrainingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(data);
        return Task.Factory.StartNew(
            () => Train(data, progress, cancellationToken), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    /// <summary><see cref="Train"/> on any batches.</summary>
    internal TrainingResult TrainOn(IBatches data, IProgress<TrainingProgress>? progress, CancellationToken cancellationToken)
    {
        using var caller = new CallerState(); // random state and grad mode
        using var run = RunStart.Start(_gpt, _options, data, progress, _log);
        try
        {
            return Loop(run, cancellationToken);
        }
        catch (Exception e) when (MemoryShortage.IsCauseOf(e))
        {
            throw MemoryShortage.At(run.State.Iteration, run.Network.Config, run.Options, e);
        }
    }

    private TrainingResult Loop(TrainingRun run, CancellationToken cancellationToken)
    {
        var (options, network, optimizer) = (run.Options, run.Network, run.Optimizer);
        var accumulation = options.GradientAccumulationSteps!.Value;

        while (true)
        {
            if (cancellationToken.IsCancellationRequested) return run.End(TrainingEnd.Cancelled);
            if (run.IsOutOfTime) return run.End(TrainingEnd.OutOfTime);
            var iteration = run.State.Iteration;

            // evaluate the loss on both splits, and write a checkpoint
            if (run.IsEvaluationDue)
            {
                if (Evaluate(run, cancellationToken) is not { } evaluation) return run.End(TrainingEnd.Cancelled);
                if (options.EvalOnly) return run.End(TrainingEnd.Completed);
                if (iteration > 0 && (evaluation.IsBest || options.AlwaysSaveCheckpoint)) run.Save(evaluation.IsBest);
                if (run.IsPatienceOver) return run.End(TrainingEnd.EarlyStopped);
            }
            else if (run.IsSaveDue)
            {
                run.Save(isBest: false);
            }

            // forward and backward over the micro batches, whose gradients add up
            run.StartClock();
            var learningRate = LearningRate.At(iteration, options);
            var loss = 0.0;
            for (var micro = 0; micro < accumulation; micro++)
            {
                if (run.Draw(new BatchPlace(DataSplit.Train, Evaluation: false, iteration, micro)))
                    loss += run.AddGradients(RandomSeed.Of(options.Seed, iteration, micro));
            }

            if (!double.IsFinite(loss)) throw run.Diverged($"the loss is {loss}", learningRate);

            // clip, step, forget the gradients
            var norm = optimizer.Step(learningRate, options.GradClip, run.State.LossScale.Factor, skip: length => run.IsOutlier(loss, length));
            if (!double.IsFinite(norm) && !run.CanLowerLossScale()) throw run.Diverged($"the loss is {loss:F4} and the gradient's length {norm}", learningRate);
            optimizer.ZeroGrad();

            run.Completed(loss, norm, learningRate);
            if (run.State.Iteration > options.MaxIters) return run.End(TrainingEnd.Completed);
        }
    }

    // nanoGPT's estimate_loss: a mean over many batches, because one batch says little.
    private EvaluationResult? Evaluate(TrainingRun run, CancellationToken cancellationToken)
    {
        using var activity = TrainingTelemetry.Activities.StartActivity("nanogpt.evaluate");
        var (losses, counted) = (new double[2], new int[2]);
        foreach (var split in new[] { DataSplit.Train, DataSplit.Val })
        {
            for (var k = 0; k < run.Options.EvalIters; k++)
            {
                if (cancellationToken.IsCancellationRequested) return null;
                if (!run.Draw(new BatchPlace(split, Evaluation: true, run.State.Iteration, k))) continue;
                losses[(int)split] += run.Loss();
                counted[(int)split]++;
            }
        }

        var evaluation = run.Evaluated(losses[0] / counted[0], losses[1] / counted[1]);
        OnEvaluation?.Invoke(evaluation);
        if (DrawSample is not null && run.IsSampleDue) run.Sampled(DrawSample(_gpt));
        run.DrawReport(isRunning: true);
        run.Network.train();
        return evaluation;
    }

    /// <summary>The caller's random state and grad mode, put back at the end.</summary>
    private sealed class CallerState : IDisposable
    {
        private readonly Tensor _random = random.get_rng_state();
        private readonly IDisposable _grad = enable_grad();

        public void Dispose()
        {
            _grad.Dispose();
            random.set_rng_state(_random);
            _random.Dispose();
        }
    }
}
