// Every setting of a training run, with its default, unit, range and where it comes from. The names in <c>code</c> are
// nanoGPT's, as config files and the command line write them. What the model is stands in GPTConfig.cs.

using System.Globalization;
using NanoGpt.Training;

namespace NanoGpt;

/// <summary>How the learning rate moves after warmup. Every schedule starts with the same linear warmup.</summary>
public enum LearningRateSchedule
{
    /// <summary><c>cosine</c>: half a cosine down to the minimum, as nanoGPT.</summary>
    Cosine,

    /// <summary><c>linear</c>: a straight line down to the minimum.</summary>
    Linear,

    /// <summary><c>constant</c>: stays where warmup ended.</summary>
    Constant,

    /// <summary><c>wsd</c>: warmup, stable, then decay to the minimum over the last part (see <see cref="TrainerOptions.WsdDecayFraction"/>).</summary>
    Wsd,
}

/// <summary>Every setting of a training run. Immutable, so safe to share between threads.</summary>
/// <remarks>
/// Defaults are nanoGPT's <c>train.py</c> where the property says nothing else. A null default follows from other
/// settings, and for nanoGPT's own defaults gives nanoGPT's own value.
/// </remarks>
public sealed record TrainerOptions
{
    /// <summary>Folder for checkpoints, metrics and the report (<c>out_dir</c>). Made if missing.</summary>
    /// <value>Default <c>out</c>.</value>
    public string OutDir { get; init; } = "out";

    /// <summary>What to continue from (<c>init_from=resume</c>), or null to start with the model as it is.</summary>
    /// <value>
    /// Default null. An output folder (its newest whole checkpoint is taken), one checkpoint folder, or a nanoGPT <c>ckpt.pt</c>.
    /// Its weights, optimizer state, iteration and best loss replace the model's.
    /// </value>
    public string? ResumeFrom { get; init; }

    /// <summary>Iterations between evaluations (<c>eval_interval</c>). The first is before the first step.</summary>
    /// <value>Default 2000. At least 1.</value>
    public int EvalInterval { get; init; } = 2000;

    /// <summary>Batches of each split that an evaluation averages over (<c>eval_iters</c>).</summary>
    /// <value>Default 200. At least 1.</value>
    public int EvalIters { get; init; } = 200;

    /// <summary>Iterations between log lines (<c>log_interval</c>).</summary>
    /// <value>Default 1. At least 1.</value>
    public int LogInterval { get; init; } = 1;

    /// <summary>Evaluate once and stop (<c>eval_only</c>).</summary>
    /// <value>Default false. nanoGPT ignores it after a resume; here it always holds. Nothing is written to <see cref="OutDir"/>.</value>
    public bool EvalOnly { get; init; }

    /// <summary>Save a checkpoint after each evaluation, or only after one that is the best so far (<c>always_save_checkpoint</c>).</summary>
    /// <value>Default true. Either way best/ is the best: nanoGPT forgets its best loss here when true.</value>
    public bool AlwaysSaveCheckpoint { get; init; } = true;

    /// <summary>Iterations between checkpoints besides those of evaluations (<c>save_interval</c>).</summary>
    /// <value>Default 0, none. Not in nanoGPT.</value>
    public int SaveInterval { get; init; }

    /// <summary>How many checkpoints stay besides best/ (<c>keep_checkpoints</c>); older ones are deleted.</summary>
    /// <value>Default 2, so that one is whole if the newest is damaged. 0 keeps all. Not in nanoGPT, which keeps 1.</value>
    public int KeepCheckpoints { get; init; } = 2;

    /// <summary>Batches whose gradients are summed before a step (<c>gradient_accumulation_steps</c>).</summary>
    /// <value>
    /// Default null: 40 on a GPU, as nanoGPT; 1 on a CPU, where 40 x 12 x 1024 tokens would take half an hour a step.
    /// At least 1.
    /// </value>
    public int? GradientAccumulationSteps { get; init; }

    /// <summary>Sequences in a batch (<c>batch_size</c>).</summary>
    /// <value>Default 12. At least 1.</value>
    public int BatchSize { get; init; } = 12;

    /// <summary>Tokens in a sequence (<c>block_size</c>), or null for the model's longest.</summary>
    /// <value>Default null; nanoGPT's default of 1024 is GPT-2's longest. From 1 to <see cref="GPTConfig.BlockSize"/>.</value>
    public int? BlockSize { get; init; }

    /// <summary>The highest learning rate (<c>learning_rate</c>).</summary>
    /// <value>
    /// Default null: 6e-4 times the square root of 768 / n_embd, which is nanoGPT's 6e-4 for GPT-2's width; narrower models
    /// bear more (docs/decisions/008-default-learning-rate.md). At least 0.
    /// </value>
    public double? LearningRate { get; init; }

    /// <summary>The last step's number (<c>max_iters</c>). nanoGPT counts from 0, so one step more than this is taken.</summary>
    /// <value>Default 600,000. At least 0.</value>
    public int MaxIters { get; init; } = 600_000;

    /// <summary>Whether the learning rate moves at all (<c>decay_lr</c>); if not it is <see cref="LearningRate"/> from the first step.</summary>
    /// <value>Default true.</value>
    public bool DecayLr { get; init; } = true;

    /// <summary>How it moves (<c>lr_schedule</c>).</summary>
    /// <value>Default cosine, nanoGPT's only one.</value>
    public LearningRateSchedule LrSchedule { get; init; } = LearningRateSchedule.Cosine;

    /// <summary>Steps in which the learning rate rises from almost 0 (<c>warmup_iters</c>).</summary>
    /// <value>Default null: 2000, but at most a tenth of <see cref="MaxIters"/>. At least 0.</value>
    public int? WarmupIters { get; init; }

    /// <summary>The step at which the learning rate arrives at the minimum (<c>lr_decay_iters</c>).</summary>
    /// <value>Default null: <see cref="MaxIters"/>. At least <see cref="WarmupIters"/>.</value>
    public int? LrDecayIters { get; init; }

    /// <summary>The lowest learning rate after warmup (<c>min_lr</c>).</summary>
    /// <value>Default null: a tenth of <see cref="LearningRate"/>. From 0 to <see cref="LearningRate"/>.</value>
    public double? MinLr { get; init; }

    /// <summary>The part of <see cref="LrDecayIters"/> in which the wsd schedule decays (<c>wsd_decay_fraction</c>).</summary>
    /// <value>Default 0.2, as Hägele et al. 2024 found enough. Above 0, at most 1. Not in nanoGPT.</value>
    public double WsdDecayFraction { get; init; } = 0.2;

    /// <summary>AdamW's decoupled weight decay (<c>weight_decay</c>), for tensors of 2 or more dimensions.</summary>
    /// <value>Default 0.1. At least 0.</value>
    public double WeightDecay { get; init; } = 0.1;

    /// <summary>AdamW's decay of the mean gradient (<c>beta1</c>).</summary>
    /// <value>Default 0.9. From 0 up to, not including, 1.</value>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>AdamW's decay of the mean squared gradient (<c>beta2</c>).</summary>
    /// <value>Default 0.95. From 0 up to, not including, 1.</value>
    public double Beta2 { get; init; } = 0.95;

    /// <summary>Gradients longer than this, all together, are scaled down to it (<c>grad_clip</c>).</summary>
    /// <value>Default 1.0. 0 switches it off.</value>
    public double GradClip { get; init; } = 1.0;

    /// <summary>Where to train (<c>device</c>): <c>cpu</c>, <c>cuda</c>, <c>cuda:1</c>, <c>mps</c>. The model is moved there and stays.</summary>
    /// <value>
    /// Default null: where the model is if that is a GPU, else CUDA if this machine has it, else MPS, else the CPU. nanoGPT's
    /// default of cuda breaks on laptops.
    /// </value>
    public string? Device { get; init; }

    /// <summary>In which type matrix products are computed (<c>dtype</c>); weights and optimizer state are float32 in any case.</summary>
    /// <value>
    /// Default null: bfloat16 on CUDA, float32 elsewhere. float16 needs CUDA and is refused on a CPU, where it takes minutes;
    /// int8 is for generation only.
    /// </value>
    public Dtype? Dtype { get; init; }

    /// <summary>
    /// Keeps only each block's input for the backward pass and computes the rest again (<c>gradient_checkpointing</c>): a
    /// fraction of the activations' memory for a third more time. The results are the same.
    /// </summary>
    /// <value>Default false.</value>
    public bool GradientCheckpointing { get; init; }

    /// <summary>The shortcuts that make a step fast, each with its switch.</summary>
    /// <value>Default all on.</value>
    public SpeedOptions Speed { get; init; } = new();

    /// <summary>Decides every random choice of the run: batches and dropout (<c>seed</c>).</summary>
    /// <value>Default 1337. The same seed, data and machine give the same run, interrupted or not.</value>
    public int Seed { get; init; } = 1337;

    /// <summary>Seconds after which training ends with a checkpoint (<c>max_seconds</c>).</summary>
    /// <value>Default 0, no limit. Not in nanoGPT.</value>
    public double MaxSeconds { get; init; }

    /// <summary>Evaluations in a row without a better validation loss after which training ends (<c>early_stopping_patience</c>).</summary>
    /// <value>Default 0, never. Not in nanoGPT.</value>
    public int EarlyStoppingPatience { get; init; }

    /// <summary>Leave out a step whose loss or gradient norm lies this many standard deviations above those of late (<c>skip_outliers</c>).</summary>
    /// <value>Default 0, never. 6 is a cautious choice. Not in nanoGPT.</value>
    public double SkipOutliers { get; init; }

    /// <summary>Evaluations between sample texts, where the trainer is given a way to draw one (<c>sample_interval</c>).</summary>
    /// <value>Default 1: after each evaluation. At least 1. Not in nanoGPT.</value>
    public int SampleInterval { get; init; } = 1;

    /// <summary>Whether TensorBoard files are written to <c>out_dir/tensorboard</c> (<c>tensorboard</c>).</summary>
    /// <value>Default true. In place of nanoGPT's wandb.</value>
    public bool Tensorboard { get; init; } = true;

    /// <summary>Whether <c>out_dir/report.html</c> is written, and redrawn after each evaluation (<c>report</c>).</summary>
    /// <value>Default true. Not in nanoGPT.</value>
    public bool Report { get; init; } = true;

    /// <summary>All names that <see cref="With"/> knows, as config files and the command line write them.</summary>
    public static IReadOnlyList<string> Names => OptionTable.Names;

    /// <summary>A copy with one option set by its nanoGPT name.</summary>
    /// <param name="name">For example <c>batch_size</c>; one of <see cref="Names"/>.</param>
    /// <param name="value">A value as <see cref="ConfigFile.Read"/> gives: bool, long, double, string or null.</param>
    /// <exception cref="ArgumentException">There is no such option, or the value is of another type; the message names the closest option.</exception>
    public TrainerOptions With(string name, object? value) => OptionTable.Set(this, name, value);

    /// <summary>All options by name, as <see cref="With"/> takes them.</summary>
    public IReadOnlyDictionary<string, object?> ToDictionary() => OptionTable.Get(this);

    /// <summary>Checks every value and names all that are wrong at once.</summary>
    /// <exception cref="ArgumentException">A value is out of its range, or two contradict each other.</exception>
    public void Validate()
    {
        var faults = Faults().ToList();
        if (faults.Count > 0)
            throw new ArgumentException("TrainerOptions are not valid: " + string.Join("; ", faults) + ".");
    }

    /// <summary>What <see cref="Validate"/> would complain of, one clause each.</summary>
    internal IEnumerable<string> Faults()
    {
        if (string.IsNullOrWhiteSpace(OutDir)) yield return "out_dir is empty";
        if (ResumeFrom is not null && string.IsNullOrWhiteSpace(ResumeFrom)) yield return "what to resume from is empty";

        foreach (var (name, value, least) in new[]
        {
            ("eval_interval", EvalInterval, 1), ("eval_iters", EvalIters, 1), ("log_interval", LogInterval, 1),
            ("batch_size", BatchSize, 1), ("block_size", BlockSize ?? 1, 1), ("sample_interval", SampleInterval, 1),
            ("gradient_accumulation_steps", GradientAccumulationSteps ?? 1, 1),
            ("max_iters", MaxIters, 0), ("warmup_iters", WarmupIters ?? 0, 0), ("lr_decay_iters", LrDecayIters ?? 0, 0),
            ("save_interval", SaveInterval, 0), ("keep_checkpoints", KeepCheckpoints, 0),
            ("early_stopping_patience", EarlyStoppingPatience, 0),
        })
        {
            if (value < least) yield return $"{name} is {value}, must be at least {least}";
        }

        foreach (var (name, value) in new[]
        {
            ("learning_rate", LearningRate ?? 0), ("min_lr", MinLr ?? 0), ("weight_decay", WeightDecay), ("grad_clip", GradClip),
            ("max_seconds", MaxSeconds), ("skip_outliers", SkipOutliers),
        })
        {
            if (!(value >= 0 && double.IsFinite(value))) yield return $"{name} is {Text(value)}, must be a number from 0 up";
        }

        foreach (var (name, value) in new[] { ("beta1", Beta1), ("beta2", Beta2) })
        {
            if (!(value >= 0 && value < 1)) yield return $"{name} is {Text(value)}, must be from 0 up to, not including, 1";
        }

        if (!(WsdDecayFraction > 0 && WsdDecayFraction <= 1)) yield return $"wsd_decay_fraction is {Text(WsdDecayFraction)}, must be above 0 and at most 1";
        if (MinLr > LearningRate) yield return $"min_lr ({Text(MinLr.Value)}) is above learning_rate ({Text(LearningRate!.Value)})";
        if (DecayLr && LrDecayIters < WarmupIters) yield return $"lr_decay_iters ({LrDecayIters}) is below warmup_iters ({WarmupIters})";
        if (!Enum.IsDefined(LrSchedule)) yield return $"lr_schedule is {(int)LrSchedule}, not a known one";
        if (Dtype is not (null or NanoGpt.Dtype.Float32 or NanoGpt.Dtype.BFloat16 or NanoGpt.Dtype.Float16))
            yield return $"dtype is {Dtype.ToString()!.ToLowerInvariant()}, must be float32, bfloat16 or float16";
        if (Device is not null && !IsDevice(Device)) yield return $"device is '{Device}', must be cpu, cuda, cuda:N or mps";
    }

    private static bool IsDevice(string name) =>
        name is "cpu" or "cuda" or "mps"
        || (name.StartsWith("cuda:", StringComparison.Ordinal)
            && int.TryParse(name.AsSpan(5), NumberStyles.None, CultureInfo.InvariantCulture, out _));

    private static string Text(double value) => value.ToString(CultureInfo.InvariantCulture);
}
