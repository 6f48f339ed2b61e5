// What metrics and tracing systems see of training: Meter and ActivitySource "NanoGpt", and the logger's event ids.

using System.Diagnostics;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;

namespace NanoGpt.Training;

/// <summary>Instruments of training.</summary>
internal static class TrainingTelemetry
{
    private const string Name = "NanoGpt";

    private static readonly Meter Meter = new(Name);

    /// <summary>Activities nanogpt.train, nanogpt.evaluate and nanogpt.checkpoint.</summary>
    public static readonly ActivitySource Activities = new(Name);

    private static readonly Counter<long> Tokens = Meter.CreateCounter<long>("nanogpt.training.tokens", "{token}", "Tokens trained on");
    private static readonly Histogram<double> Duration = Meter.CreateHistogram<double>("nanogpt.training.step.duration", "s", "Time of a step");
    private static readonly Histogram<double> Loss = Meter.CreateHistogram<double>("nanogpt.training.loss", "nat", "Loss of a step");
    private static readonly Histogram<double> GradNorm = Meter.CreateHistogram<double>("nanogpt.training.grad_norm", "1", "Gradient length before clipping");
    private static readonly Histogram<double> ValLoss = Meter.CreateHistogram<double>("nanogpt.training.val_loss", "nat", "Validation loss of an evaluation");
    private static readonly Counter<long> Skipped = Meter.CreateCounter<long>("nanogpt.training.skipped_steps", "{step}", "Steps left out as outliers");

    public static void Step(TrainingProgress step, long tokens)
    {
        Tokens.Add(tokens);
        Duration.Record(step.IterationTime.TotalSeconds);
        Loss.Record(step.Loss);
        GradNorm.Record(step.GradNorm);
    }

    public static void Evaluation(EvaluationResult evaluation) => ValLoss.Record(evaluation.ValLoss);

    public static void SkippedStep() => Skipped.Add(1);

    /// <summary>The logger's event id of what happened: 1000 and the event's number.</summary>
    public static EventId Id(TrainingEvent what) => new(1000 + (int)what, "Training" + what);
}
