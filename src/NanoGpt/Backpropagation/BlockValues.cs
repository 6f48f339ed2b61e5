// The values of one block that its way back needs. What is quickly computed again is not among them: the layer norms' outputs
// and the MLP's after the nonlinearity.

namespace NanoGpt.Backpropagation;

/// <summary>What a block keeps for the way back.</summary>
/// <param name="room">Memory to lie in.</param>
/// <param name="tokens">N.</param>
/// <param name="config">The model.</param>
internal sealed unsafe class BlockValues(FloatArena room, int tokens, GPTConfig config)
{
    /// <summary>Queries, keys and values, (N, 3 C).</summary>
    public float* QueryKeyValue { get; } = room.Take((long)tokens * 3 * config.NEmbd);

    /// <summary>What attention gathered, (N, C).</summary>
    public float* Attention { get; } = room.Take((long)tokens * config.NEmbd);

    /// <summary>The residual stream between attention and MLP, (N, C).</summary>
    public float* Middle { get; } = room.Take((long)tokens * config.NEmbd);

    /// <summary>The MLP's inner values before the nonlinearity, (N, I).</summary>
    public float* Inner { get; } = room.Take((long)tokens * config.InnerSize);

    /// <summary>Floats that such values take.</summary>
    public static long Size(int tokens, GPTConfig config) =>
        FloatArena.SizeOf((long)tokens * 3 * config.NEmbd) + 2 * FloatArena.SizeOf((long)tokens * config.NEmbd) + FloatArena.SizeOf((long)tokens * config.InnerSize);
}
