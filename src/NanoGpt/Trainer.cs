// The training loop, as nanoGPT's train.py has it: evaluate, save, accumulate gradients, clip, step, log, again. What the
// loop uses lies in Training/; how text becomes batches, in Data/; what the model is, in GPTModel.cs.

using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
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

    /// <summary>Prepares a run; nothing happens before Train.</summary>
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
    internal TrainingResult TrainOn(IBatches data, IProgress<TrainingProgress>? progress, CancellationToken cancellationToken)
    {
        using var caller = new CallerState(); // random state and grad mode
        using var run = RunStart.Start(_gpt, _options, data, progress, _log);
        try
        {
            return Loop(run, cancellationToken);
        }
        catch (Exception e) when (TrainingRun.IsOutOfMemory(e))
        {
            throw run.OutOfMemory(e);
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
            using var step = NewDisposeScope();
            var learningRate = LearningRate.At(iteration, options);
            var loss = 0.0;
            for (var micro = 0; micro < accumulation; micro++)
            {
                var (x, y) = run.Batch(new BatchPlace(Validation: false, Evaluation: false, iteration, micro)); // (B, T), (B, T)
                random.manual_seed(RandomSeed.Of(options.Seed, iteration, micro)); // dropout
                using var scope = NewDisposeScope();
                using var microLoss = run.Forward(x, y) / accumulation;
                microLoss.backward();
                loss += microLoss.item<float>();
            }

            if (!double.IsFinite(loss)) throw run.Diverged($"the loss is {loss}", learningRate);

            // clip, step, forget the gradients
            var norm = optimizer.Step(learningRate, options.GradClip, skip: length => run.IsOutlier(loss, length));
            if (!double.IsFinite(norm)) throw run.Diverged($"the loss is {loss:F4} and the gradient's length {norm}", learningRate);
            optimizer.ZeroGrad();

            run.Completed(loss, norm, learningRate);
            if (run.State.Iteration > options.MaxIters) return run.End(TrainingEnd.Completed);
        }
    }

    // nanoGPT's estimate_loss: a mean over many batches, because one batch says little.
    private EvaluationResult? Evaluate(TrainingRun run, CancellationToken cancellationToken)
    {
        using var activity = TrainingTelemetry.Activities.StartActivity("nanogpt.evaluate");
        var losses = new double[2]; // training split, validation split
        run.Network.eval();
        using (no_grad())
        {
            for (var split = 0; split < losses.Length; split++)
            {
                for (var k = 0; k < run.Options.EvalIters; k++)
                {
                    if (cancellationToken.IsCancellationRequested) return null;
                    using var scope = NewDisposeScope();
                    var (x, y) = run.Batch(new BatchPlace(Validation: split == 1, Evaluation: true, run.State.Iteration, k));
                    losses[split] += run.Forward(x, y).item<float>() / run.Options.EvalIters;
                }
            }
        }

        run.Network.train();
        var evaluation = run.Evaluated(losses[0], losses[1]);
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
