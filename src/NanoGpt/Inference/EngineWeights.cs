// All weights of one model as the engine multiplies by them. Knows how they are stored, not what is done with them.

using NanoGpt.Formats;
using NanoGpt.Numerics;

namespace NanoGpt.Inference;

/// <summary>A linear layer: matrix and bias.</summary>
/// <param name="Matrix">[out, in], packed.</param>
/// <param name="Bias">One value for each output, or null.</param>
internal sealed record Linear(PackedMatrix Matrix, NativeBuffer? Bias);

/// <summary>The gain and shift of a layer norm; the shift is null in a model without biases.</summary>
internal sealed record Norm(NativeBuffer Weight, NativeBuffer? Bias);

/// <summary>The weights of one transformer block.</summary>
internal sealed record BlockWeights(Norm Norm1, Linear Attention, Linear AttentionOutput, Norm Norm2, Linear Mlp, Linear MlpOutput);

/// <summary>Weights of a GPT, packed when asked to. Safe to share between threads, one of which may pack; must outlive their use.</summary>
internal sealed unsafe class EngineWeights : IDisposable
{
    private readonly List<IDisposable> _owned = [];

    /// <summary>Copies the vectors. The matrices stay in the source until they are packed.</summary>
    /// <exception cref="ModelFormatException">A weight that the config asks for is missing or has another shape.</exception>
    public EngineWeights(GPTWeights source, Dtype precision, int panelWidth)
    {
        var config = source.Config;
        try
        {
            CheckShapes(source);
            TokenEmbedding = Matrix("wte.weight");
            PositionEmbedding = Vector("wpe.weight")!;
            Blocks = Enumerable.Range(0, config.NLayer).Select(i => $"h.{i}.").Select(block => new BlockWeights(
                Norm(block + "ln_1"), Linear(block + "attn.c_attn"), Linear(block + "attn.c_proj"),
                Norm(block + "ln_2"), Linear(block + "mlp.c_fc"), Linear(block + "mlp.c_proj"))).ToArray();
            FinalNorm = Norm("ln_f");
            Output = config.TieWordEmbeddings ? TokenEmbedding : Matrix("lm_head.weight");
        }
        catch
        {
            Dispose();
            throw;
        }

        Linear Linear(string name) => new(Matrix(name + ".weight"), config.Bias ? Vector(name + ".bias") : null);

        Norm Norm(string name) => new(Vector(name + ".weight"), config.Bias ? Vector(name + ".bias") : null);

        PackedMatrix Matrix(string name) => Own(new PackedMatrix(source[name], precision, panelWidth));

        // Padded with zeros, so that whole panels of outputs find a bias.
        NativeBuffer Vector(string name)
        {
            var tensor = source[name];
            var buffer = Own(NativeBuffer.OfFloats(tensor.ElementCount + RowKernels.RowAlignment));
            tensor.CopyTo(buffer.Floats);
            return buffer;
        }
    }

    /// <summary>wte: a row for each token id.</summary>
    public PackedMatrix TokenEmbedding { get; }

    /// <summary>wpe: NEmbd values for each position.</summary>
    public NativeBuffer PositionEmbedding { get; }

    public IReadOnlyList<BlockWeights> Blocks { get; }

    public Norm FinalNorm { get; }

    /// <summary>From the residual stream to logits; the token embedding where they are tied.</summary>
    public PackedMatrix Output { get; }

    /// <summary>The matrices, in the order in which a pass needs them.</summary>
    public IEnumerable<PackedMatrix> Matrices => _owned.OfType<PackedMatrix>();

    /// <summary>Bytes of memory held once all matrices are packed.</summary>
    public long Bytes => _owned.Sum(part => part is PackedMatrix matrix ? matrix.Bytes : ((NativeBuffer)part).Length);

    public void Dispose()
    {
        foreach (var part in _owned) part.Dispose();
    }

    private T Own<T>(T part)
        where T : IDisposable
    {
        _owned.Add(part);
        return part;
    }

    private static void CheckShapes(GPTWeights source)
    {
        foreach (var (name, shape) in GPTWeights.Expected(source.Config))
        {
            if (!source.Tensors.TryGetValue(name, out var tensor))
                throw new ModelFormatException($"The weights have no tensor '{name}', which the config asks for. Is config.json from the same model?");
            var (rows, columns) = shape.Length == 2 ? (shape[0], shape[1]) : (1, shape[0]);
            if (tensor.Rows != rows || tensor.Columns != columns)
            {
                throw new ModelFormatException(
                    $"Tensor '{name}' is [{tensor.Rows}, {tensor.Columns}] as [out, in]; the config needs [{rows}, {columns}]. "
                    + "Is config.json from the same model?");
            }
        }
    }
}
