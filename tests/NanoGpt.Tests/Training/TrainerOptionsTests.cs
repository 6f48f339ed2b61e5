using NanoGpt.Training;
using TorchSharp;

namespace NanoGpt.Tests.Training;

public sealed class TrainerOptionsTests
{
    [Theory]
    [InlineData("out_dir", "out")]
    [InlineData("eval_interval", 2000L)]
    [InlineData("eval_iters", 200L)]
    [InlineData("log_interval", 1L)]
    [InlineData("eval_only", false)]
    [InlineData("always_save_checkpoint", true)]
    [InlineData("gradient_accumulation_steps", 40L)]
    [InlineData("batch_size", 12L)]
    [InlineData("block_size", 1024L)]
    [InlineData("learning_rate", 6e-4)]
    [InlineData("max_iters", 600_000L)]
    [InlineData("weight_decay", 0.1)]
    [InlineData("beta1", 0.9)]
    [InlineData("beta2", 0.95)]
    [InlineData("grad_clip", 1.0)]
    [InlineData("decay_lr", true)]
    [InlineData("warmup_iters", 2000L)]
    [InlineData("lr_decay_iters", 600_000L)]
    [InlineData("min_lr", 6e-5)]
    [InlineData("seed", 1337L)]
    [InlineData("dtype", "bfloat16")]
    public void Defaults_for_GPT2_on_a_GPU_are_nanoGPTs(string name, object value)
    {
        var options = RunStart.Complete(new TrainerOptions(), GPTConfig.Gpt2, DeviceType.CUDA).ToDictionary();

        if (value is double expected) Assert.Equal(expected, (double)options[name]!, 1e-12); // 6e-4 / 10 is not 6e-5 to the bit
        else Assert.Equal(value, options[name]);
    }

    [Fact]
    public void Every_option_can_be_read_and_set_by_name()
    {
        var properties = typeof(TrainerOptions).GetProperties().Count(property => property.CanWrite && property.Name != nameof(TrainerOptions.Speed));
        Assert.Equal(properties, TrainerOptions.Names.Count);

        var changed = new TrainerOptions
        {
            OutDir = "a", ResumeFrom = "b", EvalInterval = 3, EvalIters = 4, LogInterval = 5, EvalOnly = true, AlwaysSaveCheckpoint = false,
            SaveInterval = 6, KeepCheckpoints = 7, GradientAccumulationSteps = 8, BatchSize = 9, BlockSize = 10, LearningRate = 0.11,
            MaxIters = 12, DecayLr = false, LrSchedule = LearningRateSchedule.Wsd, WarmupIters = 13, LrDecayIters = 14, MinLr = 0.015,
            WsdDecayFraction = 0.16, WeightDecay = 0.17, Beta1 = 0.18, Beta2 = 0.19, GradClip = 0.2, Device = "cpu", Dtype = Dtype.BFloat16,
            Seed = 21, MaxSeconds = 22, EarlyStoppingPatience = 23, SkipOutliers = 24, SampleInterval = 25, Tensorboard = false, Report = false,
            GradientCheckpointing = true,
        };
        var copy = new TrainerOptions();
        foreach (var (name, value) in changed.ToDictionary()) copy = copy.With(name, value);

        Assert.Equal(changed, copy);
        foreach (var (name, value) in new TrainerOptions().ToDictionary()) Assert.NotEqual(value, changed.ToDictionary()[name]);
    }

    [Fact]
    public void Unknown_option_names_the_closest()
    {
        var message = Assert.Throws<ArgumentException>(() => new TrainerOptions().With("lerning_rate", 0.1)).Message;

        Assert.Contains("lerning_rate", message);
        Assert.Contains("Did you mean 'learning_rate'?", message);
    }

    [Theory]
    [InlineData("batch_size", "many", "batch_size is the text 'many', must be a whole number")]
    [InlineData("batch_size", 1.5, "batch_size is 1.5, must be a whole number")]
    [InlineData("decay_lr", 1L, "decay_lr is 1, must be True or False")]
    [InlineData("out_dir", 7L, "out_dir is 7, must be a text")]
    [InlineData("lr_schedule", "cosinus", "must be one of cosine, linear, constant, wsd")]
    [InlineData("lr_schedule", "1", "must be one of cosine, linear, constant, wsd")]
    [InlineData("weight_decay", null, "weight_decay is None, must be a number")]
    public void Value_of_another_type_is_refused(string name, object? value, string message) =>
        Assert.Contains(message, Assert.Throws<ArgumentException>(() => new TrainerOptions().With(name, value)).Message);

    [Fact]
    public void Validation_names_every_fault_at_once()
    {
        var options = new TrainerOptions
        {
            OutDir = " ", BatchSize = 0, LearningRate = double.NaN, MinLr = -1, Beta2 = 1, WarmupIters = 10, LrDecayIters = 5,
            Device = "gpu", Dtype = Dtype.Int8, KeepCheckpoints = -1, WsdDecayFraction = 0,
        };

        var message = Assert.Throws<ArgumentException>(options.Validate).Message;

        foreach (var fault in new[]
        {
            "out_dir is empty", "batch_size is 0", "learning_rate is NaN", "min_lr is -1", "beta2 is 1", "lr_decay_iters (5) is below warmup_iters (10)",
            "device is 'gpu'", "dtype is int8", "keep_checkpoints is -1", "wsd_decay_fraction is 0",
        })
            Assert.Contains(fault, message);
    }

    [Fact]
    public void Half_precision_on_a_CPU_is_refused_with_a_hint_at_bfloat16()
    {
        var options = new TrainerOptions { Dtype = Dtype.Float16 };

        Assert.Contains("bfloat16", Assert.Throws<ArgumentException>(() => RunStart.Complete(options, GPTConfig.Gpt2, DeviceType.CPU)).Message);
        Assert.Equal(Dtype.Float16, RunStart.Complete(options, GPTConfig.Gpt2, DeviceType.CUDA).Dtype);
    }
}
