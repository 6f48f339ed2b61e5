// One piece of memory, given out in parts that begin and end with whole vectors.

using NanoGpt.Numerics;

namespace NanoGpt.Backpropagation;

/// <summary>Memory for the values of one pass. All parts are freed together.</summary>
/// <param name="count">Floats, the sum of <see cref="SizeOf"/> of all parts.</param>
internal sealed unsafe class FloatArena(long count) : IDisposable
{
    private readonly NativeBuffer _memory = NativeBuffer.OfFloats(count);
    private long _taken;

    /// <summary>Floats that a part really takes.</summary>
    public static long SizeOf(long floats) => (floats + RowKernels.RowAlignment - 1) / RowKernels.RowAlignment * RowKernels.RowAlignment;

    /// <summary>The next part.</summary>
    public float* Take(long floats)
    {
        var part = _memory.Floats + _taken;
        _taken += SizeOf(floats);
        return sizeof(float) * _taken <= _memory.Length ? part : throw new InvalidOperationException($"{_taken} floats taken of {_memory.Length / sizeof(float)}");
    }

    public void Dispose() => _memory.Dispose();
}
