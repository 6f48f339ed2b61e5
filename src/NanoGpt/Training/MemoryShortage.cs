// Memory that ran out: how it shows, and what to say.

using System.Runtime.InteropServices;

namespace NanoGpt.Training;

/// <summary>Tells a lack of memory from other failures and says what would help.</summary>
internal static class MemoryShortage
{
    /// <summary>Whether an exception says that memory ran out; TorchSharp has no type for it.</summary>
    public static bool IsCauseOf(Exception e) =>
        e is OutOfMemoryException
        || (e is ExternalException
            && (e.Message.Contains("out of memory", StringComparison.OrdinalIgnoreCase)
                || e.Message.Contains("not enough memory", StringComparison.OrdinalIgnoreCase)
                || e.Message.Contains("can't allocate memory", StringComparison.OrdinalIgnoreCase)));

    /// <summary>The exception that says so.</summary>
    /// <param name="iteration">When.</param>
    /// <param name="config">The model.</param>
    /// <param name="options">With their nulls filled in.</param>
    /// <param name="cause">What was thrown.</param>
    public static BackendException At(int iteration, GPTConfig config, TrainerOptions options, Exception cause) => new(
        $"Memory ran out at iteration {iteration} with batch_size {options.BatchSize} and block_size {options.BlockSize}: such a step needs about "
        + $"{Preflight.Bytes(Preflight.EstimateMemory(config, options))}. "
        + $"Lower batch_size and raise gradient_accumulation_steps ({options.GradientAccumulationSteps}) by the same factor: the result is the same.", cause);
}
