// GPT-2 written out as in the paper: double precision, one number at a time, no cache, no batch, no vectors. Slow and
// obvious on purpose: the engine is held against it.

using NanoGpt.Formats;

namespace NanoGpt.Tests.Inference;

/// <summary>The slow path.</summary>
internal sealed unsafe class ReferenceGpt
{
    private readonly GPTConfig _config;
    private readonly Dictionary<string, double[]> _weights = [];

    public ReferenceGpt(GPTWeights weights)
    {
        _config = weights.Config;
        foreach (var (name, tensor) in weights.Tensors)
        {
            var values = new float[tensor.ElementCount];
            fixed (float* first = values) tensor.CopyTo(first);
            _weights[name] = Array.ConvertAll(values, value => (double)value);
        }
    }

    /// <summary>The logits after the last of the ids; of more than the context holds, the last ones count.</summary>
    public double[] Logits(IReadOnlyList<int> ids)
    {
        var fed = ids.Skip(Math.Max(0, ids.Count - _config.BlockSize)).ToArray();
        var x = fed.Select((id, position) => Add(Row("wte.weight", id), Row("wpe.weight", position))).ToArray();
        for (var layer = 0; layer < _config.NLayer; layer++)
        {
            var block = $"h.{layer}.";
            var attended = Attention(x.Select(row => Linear(LayerNorm(row, block + "ln_1"), block + "attn.c_attn", 3 * _config.NEmbd)).ToArray(), layer);
            x = x.Zip(attended, (row, heads) => Add(row, Linear(heads, block + "attn.c_proj", _config.NEmbd))).ToArray();
            x = x.Select(row => Add(row, Mlp(LayerNorm(row, block + "ln_2"), block + "mlp."))).ToArray();
        }

        return Linear(LayerNorm(x[^1], "ln_f"), _config.TieWordEmbeddings ? "wte" : "lm_head", _config.VocabSize);
    }

    private double[][] Attention(double[][] qkv, int layer)
    {
        var (width, size) = (_config.NEmbd, _config.HeadSize);
        var scale = (_config.ScaleAttentionWeights ? 1 / Math.Sqrt(size) : 1) / (_config.ScaleAttentionByInverseLayerIndex ? layer + 1 : 1);
        var result = qkv.Select(_ => new double[width]).ToArray();
        for (var head = 0; head < _config.NHead; head++)
        {
            for (var t = 0; t < qkv.Length; t++)
            {
                var scores = new double[t + 1];
                for (var s = 0; s <= t; s++)
                {
                    for (var c = head * size; c < (head + 1) * size; c++) scores[s] += qkv[t][c] * qkv[s][width + c];
                    scores[s] *= scale;
                }

                var largest = scores.Max();
                var total = scores.Sum(score => Math.Exp(score - largest));
                for (var s = 0; s <= t; s++)
                {
                    for (var c = head * size; c < (head + 1) * size; c++)
                        result[t][c] += Math.Exp(scores[s] - largest) / total * qkv[s][2 * width + c];
                }
            }
        }

        return result;
    }

    private double[] Mlp(double[] x, string name)
    {
        var inner = Linear(x, name + "c_fc", _config.InnerSize);
        return Linear(Array.ConvertAll(inner, Activate), name + "c_proj", _config.NEmbd);
    }

    private double Activate(double x) => _config.Activation switch
    {
        ActivationFunction.Gelu => 0.5 * x * SpecialFunctions.Erfc(-x / Math.Sqrt(2)),
        ActivationFunction.Relu => Math.Max(x, 0),
        ActivationFunction.Silu => x / (1 + Math.Exp(-x)),
        ActivationFunction.Tanh => Math.Tanh(x),
        _ => 0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x))),
    };

    private double[] LayerNorm(double[] x, string name)
    {
        var mean = x.Average();
        var scale = 1 / Math.Sqrt(x.Average(value => (value - mean) * (value - mean)) + _config.LayerNormEpsilon);
        var bias = _weights.GetValueOrDefault(name + ".bias");
        return x.Select((value, i) => (value - mean) * scale * _weights[name + ".weight"][i] + (bias?[i] ?? 0)).ToArray();
    }

    private double[] Linear(double[] x, string name, int outputs)
    {
        var weight = _weights[name + ".weight"];
        var bias = _weights.GetValueOrDefault(name + ".bias");
        var result = new double[outputs];
        for (var o = 0; o < outputs; o++)
        {
            result[o] = bias?[o] ?? 0;
            for (var i = 0; i < x.Length; i++) result[o] += x[i] * weight[o * x.Length + i];
        }

        return result;
    }

    private double[] Row(string name, int row) => _weights[name].AsSpan(row * _config.NEmbd, _config.NEmbd).ToArray();

    private static double[] Add(double[] a, double[] b) => a.Zip(b, (x, y) => x + y).ToArray();
}
