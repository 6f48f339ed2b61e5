// Writes ids as TokenFile.cs reads them.

using System.Buffers.Binary;

namespace NanoGpt.Data;

/// <summary>Writes a .bin file of ids: 16 bits each as nanoGPT does, or 32 bits behind our header for a larger vocabulary.</summary>
internal sealed class TokenFileWriter : IIdSink, IDisposable
{
    private readonly FileStream _stream;
    private readonly byte[] _buffer = new byte[1 << 16];
    private readonly bool _wide;

    public TokenFileWriter(string path, int vocabSize)
    {
        _wide = vocabSize > ushort.MaxValue + 1;
        _stream = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0);
        if (_wide) WriteHeader();
    }

    public long Count { get; private set; }

    public void Write(ReadOnlySpan<int> ids)
    {
        var size = _wide ? sizeof(uint) : sizeof(ushort);
        Count += ids.Length;
        while (!ids.IsEmpty)
        {
            var part = ids[..Math.Min(ids.Length, _buffer.Length / size)];
            for (var i = 0; i < part.Length; i++)
            {
                if (_wide)
                    BinaryPrimitives.WriteInt32LittleEndian(_buffer.AsSpan(i * sizeof(uint)), part[i]);
                else
                    BinaryPrimitives.WriteUInt16LittleEndian(_buffer.AsSpan(i * sizeof(ushort)), (ushort)part[i]);
            }

            _stream.Write(_buffer, 0, part.Length * size);
            ids = ids[part.Length..];
        }
    }

    /// <summary>Completes the header and the file, down to the disk.</summary>
    public void Finish()
    {
        if (_wide)
        {
            _stream.Position = 0;
            WriteHeader();
        }

        _stream.Flush(flushToDisk: true);
    }

    public void Dispose() => _stream.Dispose();

    private void WriteHeader()
    {
        Span<byte> header = stackalloc byte[TokenFile.HeaderBytes];
        TokenFile.Magic.CopyTo(header);
        BinaryPrimitives.WriteInt64LittleEndian(header[8..], Count);
        _stream.Write(header);
    }
}
