// TrainerOptions by name: one line for each option, how to read it and how to set it. Config files, the command line and
// checkpoints all go through this table, so an option that is not here does not exist for them.

namespace NanoGpt.Training;

/// <summary>Reads and sets <see cref="TrainerOptions"/> by nanoGPT's names.</summary>
internal static class OptionTable
{
    private sealed record Entry(
        string Name, Func<TrainerOptions, object?> Get, Func<TrainerOptions, OptionValue, TrainerOptions> Set);

    private static readonly Entry[] Entries =
    [
        new("out_dir", o => o.OutDir, (o, v) => o with { OutDir = v.Text() }),
        new("resume_from", o => o.ResumeFrom, (o, v) => o with { ResumeFrom = v.TextOrNull() }),
        new("eval_interval", o => o.EvalInterval, (o, v) => o with { EvalInterval = v.Int() }),
        new("eval_iters", o => o.EvalIters, (o, v) => o with { EvalIters = v.Int() }),
        new("log_interval", o => o.LogInterval, (o, v) => o with { LogInterval = v.Int() }),
        new("eval_only", o => o.EvalOnly, (o, v) => o with { EvalOnly = v.Bool() }),
        new("always_save_checkpoint", o => o.AlwaysSaveCheckpoint, (o, v) => o with { AlwaysSaveCheckpoint = v.Bool() }),
        new("save_interval", o => o.SaveInterval, (o, v) => o with { SaveInterval = v.Int() }),
        new("keep_checkpoints", o => o.KeepCheckpoints, (o, v) => o with { KeepCheckpoints = v.Int() }),
        new("gradient_accumulation_steps", o => o.GradientAccumulationSteps, (o, v) => o with { GradientAccumulationSteps = v.IntOrNull() }),
        new("batch_size", o => o.BatchSize, (o, v) => o with { BatchSize = v.Int() }),
        new("block_size", o => o.BlockSize, (o, v) => o with { BlockSize = v.IntOrNull() }),
        new("learning_rate", o => o.LearningRate, (o, v) => o with { LearningRate = v.DoubleOrNull() }),
        new("max_iters", o => o.MaxIters, (o, v) => o with { MaxIters = v.Int() }),
        new("decay_lr", o => o.DecayLr, (o, v) => o with { DecayLr = v.Bool() }),
        new("lr_schedule", o => Lower(o.LrSchedule), (o, v) => o with { LrSchedule = v.Choice<LearningRateSchedule>() }),
        new("warmup_iters", o => o.WarmupIters, (o, v) => o with { WarmupIters = v.IntOrNull() }),
        new("lr_decay_iters", o => o.LrDecayIters, (o, v) => o with { LrDecayIters = v.IntOrNull() }),
        new("min_lr", o => o.MinLr, (o, v) => o with { MinLr = v.DoubleOrNull() }),
        new("wsd_decay_fraction", o => o.WsdDecayFraction, (o, v) => o with { WsdDecayFraction = v.Double() }),
        new("weight_decay", o => o.WeightDecay, (o, v) => o with { WeightDecay = v.Double() }),
        new("beta1", o => o.Beta1, (o, v) => o with { Beta1 = v.Double() }),
        new("beta2", o => o.Beta2, (o, v) => o with { Beta2 = v.Double() }),
        new("grad_clip", o => o.GradClip, (o, v) => o with { GradClip = v.Double() }),
        new("device", o => o.Device, (o, v) => o with { Device = v.TextOrNull() }),
        new("dtype", o => Lower(o.Dtype), (o, v) => o with { Dtype = v.IsNull ? null : v.Choice<Dtype>() }),
        new("gradient_checkpointing", o => o.GradientCheckpointing, (o, v) => o with { GradientCheckpointing = v.Bool() }),
        new("seed", o => o.Seed, (o, v) => o with { Seed = v.Int() }),
        new("max_seconds", o => o.MaxSeconds, (o, v) => o with { MaxSeconds = v.Double() }),
        new("early_stopping_patience", o => o.EarlyStoppingPatience, (o, v) => o with { EarlyStoppingPatience = v.Int() }),
        new("skip_outliers", o => o.SkipOutliers, (o, v) => o with { SkipOutliers = v.Double() }),
        new("sample_interval", o => o.SampleInterval, (o, v) => o with { SampleInterval = v.Int() }),
        new("tensorboard", o => o.Tensorboard, (o, v) => o with { Tensorboard = v.Bool() }),
        new("report", o => o.Report, (o, v) => o with { Report = v.Bool() }),
    ];

    public static IReadOnlyList<string> Names { get; } = [.. Entries.Select(entry => entry.Name)];

    public static TrainerOptions Set(TrainerOptions options, string name, object? value)
    {
        ArgumentNullException.ThrowIfNull(name);
        var entry = Array.Find(Entries, e => e.Name == name)
            ?? throw new ArgumentException($"There is no training option '{name}'.{ClosestName.Hint(name, Names)}", nameof(name));
        return entry.Set(options, new OptionValue(name, value));
    }

    public static IReadOnlyDictionary<string, object?> Get(TrainerOptions options) =>
        Entries.ToDictionary(entry => entry.Name, entry => entry.Get(options) is int i ? (long)i : entry.Get(options));

    private static string? Lower<T>(T value) => value?.ToString()?.ToLowerInvariant();
}
