// The shortcuts that make training fast, each with its switch: for comparing, and for ruling one out when a result surprises.

namespace NanoGpt;

/// <summary>How a training step is computed. None of these changes results beyond rounding. Immutable.</summary>
public sealed record SpeedOptions
{
    /// <summary>
    /// Computes loss and gradients in plain C# instead of through libtorch's autograd, where the network is in float32 on the
    /// CPU, has no dropout and is trained as a whole, unless a short measurement finds libtorch's matrix products much faster.
    /// Hooks registered on the network's modules are not called then.
    /// </summary>
    /// <value>Default true.</value>
    public bool ManagedPass { get; init; } = true;

    /// <summary>Moves the parameters in one pass over memory instead of a dozen operations for each.</summary>
    /// <value>Default true.</value>
    public bool FusedOptimizer { get; init; } = true;

    /// <summary>Draws the next batch on another thread while a step runs.</summary>
    /// <value>Default true.</value>
    public bool BatchesAhead { get; init; } = true;

    /// <summary>Computes the loss a few tokens at a time instead of holding all logits four times.</summary>
    /// <value>Default true.</value>
    public bool ChunkedLoss { get; init; } = true;

    /// <summary>Keeps freed memory for the next step instead of giving it back to the system. Linux with glibc, while a run lasts on the
    /// program's first thread: glibc gives other threads no such choice.</summary>
    /// <value>Default true.</value>
    public bool KeepMemory { get; init; } = true;

    /// <summary>
    /// Computes float32 matrix products through oneDNN where a short measurement finds it faster and as exact as MKL. Linux,
    /// CPU, while a run lasts; for all of the process.
    /// </summary>
    /// <value>Default true.</value>
    public bool OneDnnProducts { get; init; } = true;
}
