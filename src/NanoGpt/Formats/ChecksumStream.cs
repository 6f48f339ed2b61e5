// A stream that passes writes on and keeps their CRC-32, the checksum of zip files.

using System.Buffers.Binary;

namespace NanoGpt.Formats;

/// <summary>Counts the CRC-32 (polynomial 0xEDB88320) of what is written through it.</summary>
internal sealed class ChecksumStream(Stream inner) : Stream
{
    private static readonly uint[][] Tables = MakeTables();
    private uint _state = uint.MaxValue;

    /// <summary>The CRC-32 of everything so far.</summary>
    public uint Checksum => ~_state;

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => inner.Length;

    public override long Position
    {
        get => inner.Position;
        set => throw new NotSupportedException();
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        inner.Write(buffer);
        Update(buffer);
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Flush() => inner.Flush();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    /// <summary>Eight bytes at a time: table k holds the effect of a byte that k more bytes follow.</summary>
    private void Update(ReadOnlySpan<byte> bytes)
    {
        var crc = _state;
        for (; bytes.Length >= 8; bytes = bytes[8..])
        {
            var low = crc ^ BinaryPrimitives.ReadUInt32LittleEndian(bytes);
            var high = BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]);
            crc = Tables[7][low & 0xff] ^ Tables[6][low >> 8 & 0xff] ^ Tables[5][low >> 16 & 0xff] ^ Tables[4][low >> 24]
                ^ Tables[3][high & 0xff] ^ Tables[2][high >> 8 & 0xff] ^ Tables[1][high >> 16 & 0xff] ^ Tables[0][high >> 24];
        }

        foreach (var value in bytes) crc = crc >> 8 ^ Tables[0][(crc ^ value) & 0xff];
        _state = crc;
    }

    private static uint[][] MakeTables()
    {
        var tables = new uint[8][];
        for (var k = 0; k < tables.Length; k++)
        {
            tables[k] = new uint[256];
            for (var i = 0u; i < 256; i++)
            {
                var crc = k == 0 ? i : tables[k - 1][i];
                for (var bit = 0; bit < 8; bit++) crc = (crc & 1) != 0 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
                tables[k][i] = crc;
            }
        }

        return tables;
    }
}
