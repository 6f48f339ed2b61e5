// The parameters of a GPT-2 by the place where they are used. Names are the checkpoint's.

namespace NanoGpt.Backpropagation;

/// <summary>Finds the memory of a parameter.</summary>
/// <param name="name">As in a checkpoint: <c>h.0.attn.c_attn.weight</c>.</param>
/// <returns>The memory; empty where the model has no such parameter, a bias.</returns>
internal delegate Weight WeightSource(string name);

/// <summary>The parameters of one block.</summary>
internal sealed class BlockWeights(WeightSource source, int layer)
{
    public (Weight Weight, Weight Bias) AttentionNorm { get; } = Pair(source, $"h.{layer}.ln_1");

    public (Weight Weight, Weight Bias) QueryKeyValue { get; } = Pair(source, $"h.{layer}.attn.c_attn");

    public (Weight Weight, Weight Bias) AttentionProjection { get; } = Pair(source, $"h.{layer}.attn.c_proj");

    public (Weight Weight, Weight Bias) MlpNorm { get; } = Pair(source, $"h.{layer}.ln_2");

    public (Weight Weight, Weight Bias) MlpIn { get; } = Pair(source, $"h.{layer}.mlp.c_fc");

    public (Weight Weight, Weight Bias) MlpProjection { get; } = Pair(source, $"h.{layer}.mlp.c_proj");

    public static (Weight Weight, Weight Bias) Pair(WeightSource source, string name) => (source(name + ".weight"), source(name + ".bias"));
}

/// <summary>All parameters of a network.</summary>
internal sealed class NetworkWeights(GPTConfig config, WeightSource source)
{
    public Weight Tokens { get; } = source("wte.weight");

    public Weight Positions { get; } = source("wpe.weight");

    public IReadOnlyList<BlockWeights> Blocks { get; } = [.. Enumerable.Range(0, config.NLayer).Select(layer => new BlockWeights(source, layer))];

    public (Weight Weight, Weight Bias) LastNorm { get; } = BlockWeights.Pair(source, "ln_f");

    /// <summary>The output projection: the token embedding where the two are tied.</summary>
    public Weight Head { get; } = source(config.TieWordEmbeddings ? "wte.weight" : "lm_head.weight");
}
