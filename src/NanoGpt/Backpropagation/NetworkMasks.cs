// What dropout drops in one pass through the network: each place a mask of its own, all from one seed.

namespace NanoGpt.Backpropagation;

/// <summary>The masks of one pass.</summary>
/// <param name="config">The shares.</param>
/// <param name="seed">Another seed, other masks.</param>
/// <param name="trains">Whether anything is dropped at all.</param>
internal readonly struct NetworkMasks(GPTConfig config, ulong seed, bool trains)
{
    private const int MasksOfABlock = 3;

    /// <summary>Of the embeddings' sum.</summary>
    public DropoutMask Embedding => Mask(config.EmbeddingDropout, 0);

    /// <summary>Of a block.</summary>
    public BlockMasks Block(int layer)
    {
        var first = 1 + MasksOfABlock * layer;
        return new BlockMasks(Mask(config.AttentionDropout, first), Mask(config.ResidualDropout, first + 1), Mask(config.ResidualDropout, first + 2));
    }

    private DropoutMask Mask(double share, int number) => new DropoutMask(trains ? share : 0, seed).Derived(number);
}
