// What dropout drops in one block.

namespace NanoGpt.Backpropagation;

/// <summary>The masks of one block in one pass.</summary>
/// <param name="Attention">Of the attention's probabilities.</param>
/// <param name="AttentionProjection">Of what attention adds to the residual stream.</param>
/// <param name="MlpProjection">Of what the MLP adds to it.</param>
internal readonly record struct BlockMasks(DropoutMask Attention, DropoutMask AttentionProjection, DropoutMask MlpProjection);
