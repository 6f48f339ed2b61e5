// All parameters of one GPT under canonical names: the one form in which weights travel between files, network and engine.

namespace NanoGpt.Formats;

/// <summary>The parameters of one model, checked against its config. Owns what they lie in.</summary>
/// <remarks>
/// Canonical names are Hugging Face's without <c>transformer.</c>: wte.weight, wpe.weight, h.N.ln_1.weight, ..., ln_f.bias,
/// and lm_head.weight only where it is not tied. A model without biases has no .bias entries.
/// Reading is safe from several threads; disposing is not.
/// </remarks>
internal sealed class GPTWeights(GPTConfig config, IReadOnlyDictionary<string, WeightTensor> tensors, IDisposable? owner = null)
    : IDisposable
{
    public GPTConfig Config => config;

    public IReadOnlyDictionary<string, WeightTensor> Tensors => tensors;

    public WeightTensor this[string name] => tensors[name];

    /// <summary>Names of tensors that lay beside the weights and are not part of a GPT-2; none unless the caller allowed them.</summary>
    public IReadOnlyList<string> Ignored { get; init; } = [];

    /// <summary>Canonical names and [out, in] shapes of the parameters that <paramref name="config"/> asks for, in state-dict order.</summary>
    public static IEnumerable<(string Name, long[] Shape)> Expected(GPTConfig config)
    {
        long c = config.NEmbd, inner = config.InnerSize;
        yield return ("wte.weight", [config.VocabSize, c]);
        yield return ("wpe.weight", [config.BlockSize, c]);
        for (var i = 0; i < config.NLayer; i++)
        {
            foreach (var (name, shape) in new (string, long[])[]
            {
                ("ln_1.weight", [c]), ("ln_1.bias", [c]),
                ("attn.c_attn.weight", [3 * c, c]), ("attn.c_attn.bias", [3 * c]),
                ("attn.c_proj.weight", [c, c]), ("attn.c_proj.bias", [c]),
                ("ln_2.weight", [c]), ("ln_2.bias", [c]),
                ("mlp.c_fc.weight", [inner, c]), ("mlp.c_fc.bias", [inner]),
                ("mlp.c_proj.weight", [c, inner]), ("mlp.c_proj.bias", [c]),
            })
            {
                if (config.Bias || !name.EndsWith(".bias", StringComparison.Ordinal)) yield return ($"h.{i}.{name}", shape);
            }
        }

        yield return ("ln_f.weight", [c]);
        if (config.Bias) yield return ("ln_f.bias", [c]);
        if (!config.TieWordEmbeddings) yield return ("lm_head.weight", [config.VocabSize, c]);
    }

    /// <summary>Whether Hugging Face stores this parameter [in, out]: the four matrices of a block.</summary>
    public static bool IsConv1D(string name) =>
        name.EndsWith("c_attn.weight", StringComparison.Ordinal) || name.EndsWith("c_proj.weight", StringComparison.Ordinal)
        || name.EndsWith("c_fc.weight", StringComparison.Ordinal);

    /// <summary>The same weights with a shorter context. Takes over what they lie in: dispose the result, not this.</summary>
    public unsafe GPTWeights CropBlockSize(int blockSize)
    {
        var positions = this["wpe.weight"];
        var cropped = new WeightTensor(positions.Name, positions.Type, [blockSize, positions.Columns], isInOut: false, positions.Data);
        return new GPTWeights(
            config with { BlockSize = blockSize },
            new Dictionary<string, WeightTensor>(tensors) { [positions.Name] = cropped },
            owner) { Ignored = Ignored };
    }

    public void Dispose() => owner?.Dispose();
}
