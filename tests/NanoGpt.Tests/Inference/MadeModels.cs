// Models made in memory for tests: random ones of any config, and one that says what it is told to say.

using NanoGpt.Formats;
using NanoGpt.Numerics;

namespace NanoGpt.Tests.Inference;

/// <summary>Makes weights in memory.</summary>
internal static unsafe class MadeModels
{
    /// <summary>Weights drawn so that every part of the network matters.</summary>
    public static GPTWeights Random(GPTConfig config, int seed, double scale = 0.3)
    {
        var random = new Random(seed);
        return Make(config, name => name switch
        {
            _ when name.Contains("ln_", StringComparison.Ordinal) && name.EndsWith("weight", StringComparison.Ordinal)
                => _ => (float)(1 + 0.2 * Gaussian(random)),
            _ => _ => (float)(scale * Gaussian(random)),
        });
    }

    /// <summary>A model that at position p, whatever it is fed, gives <paramref name="script"/>[p] a logit far above all others.</summary>
    public static GPTWeights Scripted(int vocabSize, IReadOnlyList<int> script)
    {
        var config = new GPTConfig
        {
            VocabSize = vocabSize, BlockSize = script.Count, NLayer = 1, NHead = 1, NEmbd = script.Count, NInner = 1, TieWordEmbeddings = false, Bias = false,
        };
        var width = config.NEmbd;
        return Make(config, name => name switch
        {
            "wpe.weight" => index => index / width == index % width ? 1 : 0,           // position p lights channel p
            "lm_head.weight" => index => script[(int)(index % width)] == index / width ? 10 : 0,
            "ln_f.weight" => _ => 1,
            _ => _ => 0,
        });
    }

    private static GPTWeights Make(GPTConfig config, Func<string, Func<long, float>> values)
    {
        var buffers = new List<NativeBuffer>();
        var tensors = new Dictionary<string, WeightTensor>();
        foreach (var (name, shape) in GPTWeights.Expected(config))
        {
            var count = shape.Aggregate(1L, (product, size) => product * size);
            var buffer = NativeBuffer.OfFloats(count);
            var value = values(name);
            for (var i = 0L; i < count; i++) buffer.Floats[i] = value(i);
            buffers.Add(buffer);
            tensors[name] = new WeightTensor(name, TensorType.F32, shape, isInOut: false, buffer.Bytes);
        }

        return new GPTWeights(config, tensors, new Owner(buffers));
    }

    private static double Gaussian(Random random) =>
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());

    private sealed class Owner(List<NativeBuffer> buffers) : IDisposable
    {
        public void Dispose() => buffers.ForEach(buffer => buffer.Dispose());
    }
}
