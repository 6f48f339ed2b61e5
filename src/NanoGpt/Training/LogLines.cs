// The lines that people's plotting tools read, to the letter as nanoGPT's train.py prints them.

using System.Globalization;

namespace NanoGpt.Training;

/// <summary>nanoGPT's two log lines.</summary>
internal static class LogLines
{
    /// <summary><c>step 250: train loss 2.0512, val loss 2.1003</c></summary>
    public static string Evaluation(int iteration, double trainLoss, double valLoss) =>
        string.Create(CultureInfo.InvariantCulture, $"step {iteration}: train loss {Loss(trainLoss)}, val loss {Loss(valLoss)}");

    /// <summary><c>iter 250: loss 2.0331, time 41.20ms, mfu 3.10%</c></summary>
    /// <param name="iteration">The iteration.</param>
    /// <param name="loss">The loss over all its micro batches.</param>
    /// <param name="milliseconds">How long the iteration took.</param>
    /// <param name="mfu">The running mean as a fraction; -1 before there is one, which prints as -100.00 %.</param>
    public static string Iteration(int iteration, double loss, double milliseconds, double mfu) =>
        string.Create(CultureInfo.InvariantCulture, $"iter {iteration}: loss {Loss(loss)}, time {milliseconds:F2}ms, mfu {mfu * 100:F2}%");

    // Python prints nan and inf so, .NET prints NaN and Infinity.
    private static string Loss(double value) =>
        double.IsNaN(value) ? "nan"
        : double.IsInfinity(value) ? (value > 0 ? "inf" : "-inf")
        : value.ToString("F4", CultureInfo.InvariantCulture);
}
