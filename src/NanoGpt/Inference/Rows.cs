// Room for the rows of one intermediate result.

using NanoGpt.Numerics;

namespace NanoGpt.Inference;

/// <summary>A growing matrix of float32 rows. What lies behind the width of a row is zero and stays zero.</summary>
/// <param name="width">Values in a row.</param>
internal sealed unsafe class Rows(int width) : IDisposable
{
    private NativeBuffer? _buffer;

    /// <summary>From one row to the next, in floats. One cache line more than needed: rows a power of two apart would share cache sets.</summary>
    public int Stride { get; } = RowKernels.PaddedLength(width) + 16;

    /// <summary>Values in a row.</summary>
    public int Width => width;

    /// <summary>Makes room for so many rows; what was there is lost when that takes new memory.</summary>
    public void Reserve(int rows)
    {
        var length = (long)rows * Stride * sizeof(float);
        if (_buffer is not null && _buffer.Length >= length) return;
        _buffer?.Dispose();
        _buffer = new NativeBuffer(length);
    }

    public float* this[int row] => _buffer!.Floats + (long)row * Stride;

    public void Dispose() => _buffer?.Dispose();
}
