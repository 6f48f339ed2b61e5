// What can be known before the first step: mistakes that would train on garbage are errors, what the run will cost and what
// looks unwise is said. Computes from numbers alone; knows no tensor.

using System.Globalization;
using NanoGpt.Autograd;
using NanoGpt.Backpropagation;

namespace NanoGpt.Training;

/// <summary>Checks a run before it begins.</summary>
internal static class Preflight
{
    /// <summary>Bytes that training needs at its peak: weights, gradients, two moments, and activations of one micro batch.</summary>
    /// <param name="config">The model.</param>
    /// <param name="options">With their nulls filled in.</param>
    public static long EstimateMemory(GPTConfig config, TrainerOptions options)
    {
        const int floatSize = 4;
        long parameters = config.CountParameters();
        long tokens = (long)options.BatchSize * options.BlockSize!.Value, c = config.NEmbd;

        // Kept for the way back, for each token of a block: by autograd the inputs of 2 layer norms, of 4 matrices, q, k, v, the
        // attention's output, both residual sums, and the MLP before and after its nonlinearity; by ourselves less, as layer
        // norms and the nonlinearity are computed again.
        var isManaged = ManagedPass.Fits(config, options) && options.Dtype is null or Dtype.Float32;
        var perBlock = isManaged ? 6 * c + config.InnerSize : 12 * c + 2L * config.InnerSize;
        var blocks = options.GradientCheckpointing ? config.NLayer * c + perBlock : config.NLayer * perBlock;
        var logits = tokens * config.VocabSize;
        if (isManaged) logits = Math.Min(logits, CrossEntropyPass.LogitsAtATime);
        else if (options.Speed.ChunkedLoss && options.Dtype != Dtype.Float16) logits = Math.Min(logits, ProjectedCrossEntropy.LogitsAtATime);
        var copiesOfLogits = isManaged ? 1 : 3; // logits, log-probabilities, their gradient
        return floatSize * (4 * parameters + tokens * (blocks + 2 * c) + copiesOfLogits * logits);
    }

    /// <summary>Throws for what cannot work.</summary>
    /// <exception cref="ArgumentException">The options don't fit the model.</exception>
    /// <exception cref="ModelFormatException">The data doesn't.</exception>
    public static void Check(TrainerOptions options, GPTConfig config, IBatches data)
    {
        var blockSize = options.BlockSize!.Value;
        if (blockSize > config.BlockSize)
        {
            throw new ArgumentException(
                $"block_size is {blockSize}; the model has positions for {config.BlockSize} tokens. Lower block_size, or make a model with more.");
        }

        data.Check(config.VocabSize, blockSize);
    }

    /// <summary>What the run will be, one line each.</summary>
    /// <param name="options">With their nulls filled in.</param>
    /// <param name="config">The model.</param>
    /// <param name="data">The data.</param>
    /// <param name="memory">Bytes that the device has; null where that is not known.</param>
    public static IEnumerable<string> Notices(TrainerOptions options, GPTConfig config, IBatches data, long? memory)
    {
        var perIteration = TokensPerIteration(options);
        var steps = options.MaxIters + 1L;
        yield return Line($"tokens per iteration will be: {perIteration:N0} ({options.GradientAccumulationSteps} x {options.BatchSize} x {options.BlockSize})");
        yield return Line($"number of parameters: {config.CountParameters(includePositions: false) / 1e6:F2}M");
        yield return Line($"the whole run is {(double)steps * perIteration / data.TrainTokens:F2} epochs of {data.TrainTokens:N0} tokens");
        yield return Line($"an untrained model's loss is about {Math.Log(config.VocabSize):F2}");
        yield return $"tensors will need about {Bytes(EstimateMemory(config, options))}{(memory is { } has ? $" of {Bytes(has)}" : "")}";
    }

    /// <summary>What is probably not meant so, one line each.</summary>
    /// <param name="options">With their nulls filled in.</param>
    /// <param name="config">The model.</param>
    /// <param name="memory">Bytes that the device has; null where that is not known.</param>
    public static IEnumerable<string> Warnings(TrainerOptions options, GPTConfig config, long? memory)
    {
        var needed = EstimateMemory(config, options);
        if (memory is { } has && needed > has)
        {
            yield return $"this run needs about {Bytes(needed)} of memory and the device has {Bytes(has)}: "
                + "lower batch_size or block_size and raise gradient_accumulation_steps instead";
        }

        if (options.DecayLr && options.WarmupIters > options.MaxIters)
            yield return $"warmup_iters ({options.WarmupIters}) is above max_iters ({options.MaxIters}): the learning rate never reaches {options.LearningRate!.Value.ToString(CultureInfo.InvariantCulture)}";
        if (options.DecayLr && options.LrSchedule != LearningRateSchedule.Constant && options.LrDecayIters < options.MaxIters)
            yield return $"lr_decay_iters ({options.LrDecayIters}) is below max_iters ({options.MaxIters}): the last steps are taken with min_lr";
    }

    public static long TokensPerIteration(TrainerOptions options) =>
        (long)options.GradientAccumulationSteps!.Value * options.BatchSize * options.BlockSize!.Value;

    public static string Bytes(long count) => count >= 1L << 30 ? Line($"{count / (double)(1 << 30):F1} GiB") : Line($"{count / (double)(1 << 20):F0} MiB");

    private static string Line(FormattableString text) => FormattableString.Invariant(text);
}
