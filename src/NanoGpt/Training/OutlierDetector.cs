// Steps that are far from the usual: a batch of broken data, or the first sign of divergence. Keeps an exponentially
// weighted mean and variance of the loss and of the gradient norm; what they are used for is the trainer's business.

using System.Text.Json;

namespace NanoGpt.Training;

/// <summary>How many standard deviations a loss and a gradient norm lie above those of late. Immutable.</summary>
internal sealed record OutlierDetector
{
    private const double Memory = 0.98; // about the last 50 steps
    private const int StepsBeforeJudging = 50;

    public int Steps { get; init; }

    public double LossMean { get; init; }

    public double LossVariance { get; init; }

    public double NormMean { get; init; }

    public double NormVariance { get; init; }

    /// <summary>The larger z-score of the two; 0 while too few steps have been seen.</summary>
    public double Score(double loss, double norm) => Steps < StepsBeforeJudging
        ? 0
        : Math.Max(Score(loss, LossMean, LossVariance), Score(norm, NormMean, NormVariance));

    /// <summary>The same after one more step.</summary>
    public OutlierDetector With(double loss, double norm)
    {
        var keep = Math.Min(Memory, Steps / (Steps + 1.0)); // a plain mean at first
        var (lossMean, lossVariance) = Moved(loss, LossMean, LossVariance, keep);
        var (normMean, normVariance) = Moved(norm, NormMean, NormVariance, keep);
        return new OutlierDetector
        {
            Steps = Steps + 1,
            LossMean = lossMean,
            LossVariance = lossVariance,
            NormMean = normMean,
            NormVariance = normVariance,
        };
    }

    public void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteNumber("steps", Steps);
        json.WriteNumber("loss_mean", LossMean);
        json.WriteNumber("loss_variance", LossVariance);
        json.WriteNumber("norm_mean", NormMean);
        json.WriteNumber("norm_variance", NormVariance);
        json.WriteEndObject();
    }

    public static OutlierDetector Read(JsonElement json) => new()
    {
        Steps = json.GetProperty("steps").GetInt32(),
        LossMean = json.GetProperty("loss_mean").GetDouble(),
        LossVariance = json.GetProperty("loss_variance").GetDouble(),
        NormMean = json.GetProperty("norm_mean").GetDouble(),
        NormVariance = json.GetProperty("norm_variance").GetDouble(),
    };

    // A spread of at least a thousandth of the mean, so that a curve that has become flat doesn't make everything an outlier.
    private static double Score(double value, double mean, double variance) =>
        (value - mean) / Math.Max(Math.Sqrt(variance), 1e-3 * Math.Abs(mean) + 1e-12);

    private static (double Mean, double Variance) Moved(double value, double mean, double variance, double keep)
    {
        var away = value - mean;
        return (mean + (1 - keep) * away, keep * (variance + (1 - keep) * away * away));
    }
}
