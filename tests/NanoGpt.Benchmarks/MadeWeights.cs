// Weights of any shape, made in memory: stand-ins for a trained model that no registry here has.

using NanoGpt.Formats;
using NanoGpt.Numerics;

namespace NanoGpt.Benchmarks;

internal static unsafe class MadeWeights
{
    /// <summary>Weights around zero, gains around one, stored as Hugging Face stores them.</summary>
    /// <param name="config">The shape.</param>
    /// <param name="deviation">Standard deviation of the weights by name; null for GPT-2's 0.02 everywhere.</param>
    public static GPTWeights Random(GPTConfig config, Func<string, float>? deviation = null)
    {
        var buffers = new List<NativeBuffer>();
        var tensors = new Dictionary<string, WeightTensor>();
        foreach (var (name, shape) in GPTWeights.Expected(config))
        {
            var buffer = NativeBuffer.OfFloats(shape.Aggregate(1L, (product, size) => product * size));
            var mean = name.Contains("ln_", StringComparison.Ordinal) && name.EndsWith(".weight", StringComparison.Ordinal) ? 1 : 0;
            Fill(buffer, mean, deviation?.Invoke(name) ?? 0.02f, (uint)buffers.Count);
            buffers.Add(buffer);
            var isInOut = GPTWeights.IsConv1D(name);
            tensors[name] = new WeightTensor(name, TensorType.F32, isInOut ? [shape[1], shape[0]] : shape, isInOut, buffer.Bytes);
        }

        return new GPTWeights(config, tensors, new Buffers(buffers));
    }

    /// <summary>Four uniform numbers added up are near enough to a normal one; its tails are what int8 has to bear.</summary>
    private static void Fill(NativeBuffer buffer, float mean, float deviation, uint seed)
    {
        var state = seed * 2654435761u + 1;
        var unit = deviation * MathF.Sqrt(3f / 4) / (1 << 23);
        for (var i = 0L; i < buffer.Length / sizeof(float); i++)
        {
            var sum = 0;
            for (var draw = 0; draw < 4; draw++)
            {
                state = state * 1664525 + 1013904223;
                sum += (int)(state >> 8) - (1 << 23);
            }

            buffer.Floats[i] = mean + sum * unit;
        }
    }

    private sealed class Buffers(List<NativeBuffer> buffers) : IDisposable
    {
        public void Dispose() => buffers.ForEach(buffer => buffer.Dispose());
    }
}
