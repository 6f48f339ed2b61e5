// How much one Generator does at a time.

namespace NanoGpt;

/// <summary>Bounds on what a <see cref="Generator"/> does at the same time. Immutable.</summary>
public sealed record GeneratorLimits
{
    /// <summary>Generations that run at the same time; they share passes through the model.</summary>
    /// <value>Default 64. At least 1.</value>
    public int MaxConcurrent { get; init; } = 64;

    /// <summary>Generations that wait for a place; one more is refused with a <see cref="GeneratorBusyException"/>.</summary>
    /// <value>Default 1024. At least 0.</value>
    public int MaxQueued { get; init; } = 1024;

    /// <summary>
    /// Sequences whose computed context is kept for prompts that begin alike: the next turn of a chat, another try at the same
    /// prompt. Each takes as much memory as its tokens' keys and values (GPT-2 124M: 74 KB a token).
    /// </summary>
    /// <value>Default 4. At least 0, which computes each prompt from its first token.</value>
    public int KeptContexts { get; init; } = 4;

    /// <summary>Checks every value and names all that are wrong at once.</summary>
    /// <exception cref="ArgumentException">A value is out of its range.</exception>
    public void Validate()
    {
        var faults = new List<string>();
        if (MaxConcurrent < 1) faults.Add($"MaxConcurrent is {MaxConcurrent}, must be at least 1");
        if (MaxQueued < 0) faults.Add($"MaxQueued is {MaxQueued}, must be at least 0");
        if (KeptContexts < 0) faults.Add($"KeptContexts is {KeptContexts}, must be at least 0");
        if (faults.Count > 0) throw new ArgumentException("GeneratorLimits are not valid: " + string.Join("; ", faults) + ".");
    }
}
