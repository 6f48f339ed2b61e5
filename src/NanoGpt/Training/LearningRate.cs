// The learning rate of each iteration. The cosine is nanoGPT's train.py, get_lr, to the last bit.

namespace NanoGpt.Training;

/// <summary>The learning rate as a function of the iteration; made from options whose nulls are filled in.</summary>
internal static class LearningRate
{
    /// <summary>The learning rate of step <paramref name="iteration"/>, counted from 0.</summary>
    public static double At(int iteration, TrainerOptions options)
    {
        var (peak, least) = (options.LearningRate!.Value, options.MinLr!.Value);
        int warmup = options.WarmupIters!.Value, end = options.LrDecayIters!.Value;

        if (!options.DecayLr) return peak;
        if (iteration < warmup) return peak * (iteration + 1) / (warmup + 1);
        if (options.LrSchedule == LearningRateSchedule.Constant) return peak;
        if (iteration > end || end == warmup) return least;

        var ratio = (double)(iteration - warmup) / (end - warmup); // 0 at the end of warmup, 1 at lr_decay_iters
        return options.LrSchedule switch
        {
            LearningRateSchedule.Linear => least + (1 - ratio) * (peak - least),
            LearningRateSchedule.Wsd => least + WsdCoefficient(iteration, warmup, end, options.WsdDecayFraction) * (peak - least),
            _ => least + 0.5 * (1.0 + Math.Cos(Math.PI * ratio)) * (peak - least),
        };
    }

    // 1 while stable, then 1 - sqrt of the way through the decay (Hägele et al. 2024, "Scaling Laws and Compute-Optimal
    // Training Beyond Fixed Training Durations", found that form best).
    private static double WsdCoefficient(int iteration, int warmup, int end, double fraction)
    {
        var start = Math.Max(warmup, end - fraction * end);
        return iteration <= start ? 1 : 1 - Math.Sqrt((iteration - start) / (end - start));
    }
}
