// Logits to log-probabilities, for the few tokens that are asked for.

using NanoGpt.Numerics;

namespace NanoGpt.Inference;

/// <summary>Log-probabilities of a model's own distribution.</summary>
internal static unsafe class LogProbabilities
{
    /// <summary>What to subtract from a logit.</summary>
    public static double LogSumExp(ReadOnlySpan<float> logits, RowKernels kernels)
    {
        fixed (float* first = logits) return kernels.LogSumExp(first, logits.Length);
    }

    /// <summary>The likeliest ids, the likeliest first; of equals the smaller id first.</summary>
    public static IReadOnlyList<TokenLogProbability> Top(ReadOnlySpan<float> logits, int count, double logSumExp)
    {
        if (count == 0) return [];
        var best = new PriorityQueue<int, (float Logit, int Id)>(count + 1);
        for (var id = 0; id < logits.Length; id++)
        {
            if (best.Count < count) best.Enqueue(id, (logits[id], -id));
            else if (logits[id] > logits[best.Peek()]) best.EnqueueDequeue(id, (logits[id], -id));
        }

        var result = new TokenLogProbability[best.Count];
        for (var i = result.Length - 1; i >= 0; i--)
        {
            var id = best.Dequeue();
            result[i] = new TokenLogProbability(id, logits[id] - logSumExp);
        }

        return result;
    }
}
