// AdamW on the CPU as one pass over memory: read parameter, gradient and both moments once, write three of them once. The
// gradient norm is a pass of its own before it, because every element needs the scale that comes out of it.
// Results do not depend on the number of threads: each element is computed alone, and partial sums are added in order.

using System.Numerics;
using System.Runtime.CompilerServices;
using NanoGpt.Native;
using static TorchSharp.torch;

namespace NanoGpt.Training;

/// <summary>The arithmetic of AdamW over float32 memory.</summary>
internal sealed unsafe class AdamWPass
{
    private const int ChunkSize = 1 << 16;

    private readonly AdamWSlot[] _slots;
    private readonly AdamWOptions _options;
    private readonly (int Slot, int Offset, int Count)[] _chunks;
    private readonly double[] _partialSums;
    private readonly nint[] _parameters, _gradients, _expAvg, _expAvgSq;
    private bool _hasFoundMemory;

    public AdamWPass(AdamWSlot[] slots, AdamWOptions options)
    {
        _slots = slots;
        _options = options;
        _chunks = [.. slots.SelectMany((slot, i) => Chunks(i, slot.Parameter.numel()))];
        _partialSums = new double[_chunks.Length];
        _parameters = new nint[slots.Length];
        _gradients = new nint[slots.Length];
        _expAvg = new nint[slots.Length];
        _expAvgSq = new nint[slots.Length];
    }

    // Parameters and moments stay where they are, and asking takes a small model's step as long as its arithmetic.
    private void FindMemory()
    {
        for (var i = 0; i < _slots.Length; i++)
        {
            var slot = _slots[i];
            _parameters[i] = Memory(slot.Parameter, slot.Name);
            _expAvg[i] = Memory(slot.ExpAvg, slot.Name);
            _expAvgSq[i] = Memory(slot.ExpAvgSq, slot.Name);
        }

        _hasFoundMemory = true;
    }

    /// <summary>Finds the memory of this step's gradients and returns their 2-norm.</summary>
    public double ReadGradients()
    {
        if (!_hasFoundMemory) FindMemory();
        for (var i = 0; i < _slots.Length; i++)
        {
            using var gradient = _slots[i].Parameter.grad;
            _gradients[i] = gradient is null ? 0 : Memory(gradient, _slots[i].Name);
        }

        ForEachChunk((chunk, slot, offset, count) => _partialSums[chunk] = SumOfSquares((float*)_gradients[slot] + offset, count));
        return Math.Sqrt(_partialSums.Sum());
    }

    /// <summary>Moves the parameters whose gradients <see cref="ReadGradients"/> has found.</summary>
    public void Apply(long step, double learningRate, double gradientScale)
    {
        var factors = new Factors
        {
            GradientScale = (float)gradientScale,
            Beta1 = (float)_options.Beta1,
            Beta2 = (float)_options.Beta2,
            StepSize = (float)(learningRate / (1 - Math.Pow(_options.Beta1, step))),
            RootScale = (float)(1 / Math.Sqrt(1 - Math.Pow(_options.Beta2, step))),
            Epsilon = (float)_options.Epsilon,
            Keep = (float)(1 - learningRate * _options.WeightDecay),
        };
        ForEachChunk((_, slot, offset, count) => Update(
            (float*)_parameters[slot] + offset, (float*)_gradients[slot] + offset, (float*)_expAvg[slot] + offset,
            (float*)_expAvgSq[slot] + offset, count, factors with { Keep = _slots[slot].Decay ? factors.Keep : 1f }));
    }

    private void ForEachChunk(Action<int, int, int, int> work)
    {
        var threads = Math.Min(get_num_threads(), _chunks.Length);
        var next = -1;
        if (threads <= 1) Work();
        else Parallel.For(0, threads, new ParallelOptions { MaxDegreeOfParallelism = threads }, _ => Work());

        void Work()
        {
            for (var chunk = Interlocked.Increment(ref next); chunk < _chunks.Length; chunk = Interlocked.Increment(ref next))
            {
                var (slot, offset, count) = _chunks[chunk];
                if (_gradients[slot] != 0) work(chunk, slot, offset, count);
                else _partialSums[chunk] = 0;
            }
        }
    }

    private static double SumOfSquares(float* values, int count)
    {
        const int block = 4096; // float sums of this length stay exact to 1e-6; their sum is double
        var sum = 0.0;
        var i = 0;
        while (i <= count - 2 * Vector<float>.Count)
        {
            Vector<float> a = default, b = default;
            var end = Math.Min(i + block, count);
            for (; i <= end - 2 * Vector<float>.Count; i += 2 * Vector<float>.Count)
            {
                var x = Unsafe.ReadUnaligned<Vector<float>>(values + i);
                var y = Unsafe.ReadUnaligned<Vector<float>>(values + i + Vector<float>.Count);
                a += x * x;
                b += y * y;
            }

            sum += Vector.Sum(a + b);
        }

        for (; i < count; i++) sum += (double)values[i] * values[i];
        return sum;
    }

    private static void Update(float* parameter, float* gradient, float* expAvg, float* expAvgSq, int count, in Factors f)
    {
        Vector<float> scale = new(f.GradientScale), beta1 = new(f.Beta1), rest1 = new(1 - f.Beta1), beta2 = new(f.Beta2),
            rest2 = new(1 - f.Beta2), step = new(f.StepSize), rootScale = new(f.RootScale), epsilon = new(f.Epsilon), keep = new(f.Keep);
        var i = 0;
        for (; i <= count - Vector<float>.Count; i += Vector<float>.Count)
        {
            var g = Unsafe.ReadUnaligned<Vector<float>>(gradient + i) * scale;
            var m = beta1 * Unsafe.ReadUnaligned<Vector<float>>(expAvg + i) + rest1 * g;
            var v = beta2 * Unsafe.ReadUnaligned<Vector<float>>(expAvgSq + i) + rest2 * (g * g);
            var p = keep * Unsafe.ReadUnaligned<Vector<float>>(parameter + i);
            Unsafe.WriteUnaligned(expAvg + i, m);
            Unsafe.WriteUnaligned(expAvgSq + i, v);
            Unsafe.WriteUnaligned(parameter + i, p - step * (m / (Vector.SquareRoot(v) * rootScale + epsilon)));
        }

        for (; i < count; i++)
        {
            var g = gradient[i] * f.GradientScale;
            var m = expAvg[i] = f.Beta1 * expAvg[i] + (1 - f.Beta1) * g;
            var v = expAvgSq[i] = f.Beta2 * expAvgSq[i] + (1 - f.Beta2) * (g * g);
            parameter[i] = f.Keep * parameter[i] - f.StepSize * (m / (MathF.Sqrt(v) * f.RootScale + f.Epsilon));
        }
    }

    // float32 on the CPU and contiguous: checked for parameters and moments at the start, and a gradient is laid out as its
    // parameter is.
    private static nint Memory(Tensor tensor, string name)
    {
        if (tensor.dtype != ScalarType.Float32) throw new InvalidOperationException($"'{name}': a gradient in {tensor.dtype}, not Float32");
        return (nint)TensorMemory.Of(tensor);
    }

    private static IEnumerable<(int Slot, int Offset, int Count)> Chunks(int slot, long length)
    {
        for (var offset = 0L; offset < length && length <= TensorMemory.MaxElements; offset += ChunkSize)
            yield return (slot, (int)offset, (int)Math.Min(ChunkSize, length - offset));
    }

    /// <summary>What is the same for every element of one step.</summary>
    private readonly record struct Factors
    {
        public float GradientScale { get; init; }

        public float Beta1 { get; init; }

        public float Beta2 { get; init; }

        /// <summary>Learning rate over 1 - beta1^step.</summary>
        public float StepSize { get; init; }

        /// <summary>1 over the square root of 1 - beta2^step.</summary>
        public float RootScale { get; init; }

        public float Epsilon { get; init; }

        /// <summary>What weight decay leaves of a parameter.</summary>
        public float Keep { get; init; }
    }
}
