// The parameters of a GPT-2 by the place where they are used. Names are the checkpoint's.

namespace NanoGpt.Backpropagation;

/// <summary>Finds the memory of a parameter.</summary>
/// <param name="name">As in a checkpoint: <c>h.0.attn.c_attn.weight</c>.</param>
/// <returns>The memory; empty where the model has no such parameter, a bias.</returns>
internal delegate Weight WeightSource(string name);

/// <summary>The parameters of one layer: a matrix, or the scales of a layer norm, and a bias where there is one.</summary>
internal readonly record struct LayerWeights(Weight Weight, Weight Bias)
{
    public static LayerWeights Of(WeightSource source, string name) => new(source(name + ".weight"), source(name + ".bias"));
}

/// <summary>The parameters of one block.</summary>
internal sealed class BlockWeights(WeightSource source, int layer)
{
    public LayerWeights AttentionNorm { get; } = LayerWeights.Of(source, $"h.{layer}.ln_1");

    public LayerWeights QueryKeyValue { get; } = LayerWeights.Of(source, $"h.{layer}.attn.c_attn");

    public LayerWeights AttentionProjection { get; } = LayerWeights.Of(source, $"h.{layer}.attn.c_proj");

    public LayerWeights MlpNorm { get; } = LayerWeights.Of(source, $"h.{layer}.ln_2");

    public LayerWeights MlpIn { get; } = LayerWeights.Of(source, $"h.{layer}.mlp.c_fc");

    public LayerWeights MlpProjection { get; } = LayerWeights.Of(source, $"h.{layer}.mlp.c_proj");
}

/// <summary>All parameters of a network.</summary>
internal sealed class NetworkWeights(GPTConfig config, WeightSource source)
{
    public Weight Tokens { get; } = source("wte.weight");

    public Weight Positions { get; } = source("wpe.weight");

    public IReadOnlyList<BlockWeights> Blocks { get; } = [.. Enumerable.Range(0, config.NLayer).Select(layer => new BlockWeights(source, layer))];

    public LayerWeights LastNorm { get; } = LayerWeights.Of(source, "ln_f");

    /// <summary>The output projection: the token embedding where the two are tied.</summary>
    public Weight Head { get; } = source(config.TieWordEmbeddings ? "wte.weight" : "lm_head.weight");
}
