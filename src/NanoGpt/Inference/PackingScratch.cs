// Where one thread packs a few panels for the moment.

using NanoGpt.Numerics;

namespace NanoGpt.Inference;

/// <summary>Memory that grows to what was asked for at most. For one thread.</summary>
internal sealed unsafe class PackingScratch : IDisposable
{
    private NativeBuffer? _buffer;

    /// <summary>Room for so many bytes; what was there is lost.</summary>
    public byte* Reserve(long length)
    {
        if (_buffer is null || _buffer.Length < length)
        {
            _buffer?.Dispose();
            _buffer = new NativeBuffer(length);
        }

        return _buffer.Bytes;
    }

    public void Dispose() => _buffer?.Dispose();
}
