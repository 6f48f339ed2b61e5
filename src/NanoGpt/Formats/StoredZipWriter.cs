// Writes a zip file of stored entries as PyTorch lays it out: each entry's data begins at a multiple of 64 bytes, sizes
// above 4 GB have their 64-bit fields, times are the earliest that a zip knows, so that the same content is the same file.

using System.Buffers.Binary;
using System.Text;

namespace NanoGpt.Formats;

/// <summary>Writes one zip file to a stream that can seek.</summary>
internal sealed class StoredZipWriter(Stream stream)
{
    private const int Alignment = 64;
    private const int LocalSize = 30;
    private const int Zip64Size = 20; // id, length, size, packed size
    private const ushort Padding = 0x4246; // "FB", PyTorch's id for its padding field
    private const ushort EarliestDate = 0x0021; // 1 January 1980
    private const int NeededVersion = 45; // 64-bit sizes

    private readonly List<Entry> _entries = [];

    /// <summary>Adds an entry of known length.</summary>
    /// <param name="name">Its name, ASCII.</param>
    /// <param name="length">Its length in bytes.</param>
    /// <param name="write">Writes that many bytes.</param>
    public void Add(string name, long length, Action<Stream> write)
    {
        var header = stream.Position;
        WriteLocal(name, length, checksum: 0);
        var data = stream.Position;
        var counted = new ChecksumStream(stream);
        write(counted);
        var written = stream.Position - data;
        if (written != length) throw new InvalidOperationException($"Entry '{name}' wrote {written} bytes instead of {length}.");

        var end = stream.Position;
        stream.Position = header;
        WriteLocal(name, length, counted.Checksum);
        stream.Position = end;
        _entries.Add(new Entry(name, header, length, counted.Checksum));
    }

    /// <summary>Writes the directory. Nothing can be added after it.</summary>
    public void Finish()
    {
        var begin = stream.Position;
        foreach (var entry in _entries) WriteDirectoryEntry(entry);
        var end = stream.Position;

        var record = new Fields(stream);
        record.U32(0x06064b50).U64(44).U16(NeededVersion).U16(NeededVersion).U32(0).U32(0);
        record.U64(_entries.Count).U64(_entries.Count).U64(end - begin).U64(begin);
        record.U32(0x07064b50).U32(0).U64(end).U32(1);
        var count = (ushort)Math.Min(_entries.Count, ushort.MaxValue);
        record.U32(0x06054b50).U16(0).U16(0).U16(count).U16(count).U32(Clamp(end - begin)).U32(Clamp(begin)).U16(0);
    }

    private void WriteLocal(string name, long length, uint checksum)
    {
        var start = stream.Position + LocalSize + name.Length + Zip64Size + 4;
        var padding = (int)((Alignment - start % Alignment) % Alignment);
        var header = new Fields(stream);
        header.U32(0x04034b50).U16(NeededVersion).U16(0).U16(0).U16(0).U16(EarliestDate).U32(checksum);
        header.U32(uint.MaxValue).U32(uint.MaxValue).U16((ushort)name.Length).U16((ushort)(Zip64Size + 4 + padding)).Text(name);
        header.U16(1).U16(16).U64(length).U64(length);
        header.U16(Padding).U16((ushort)padding).Text(new string('Z', padding));
    }

    private void WriteDirectoryEntry(Entry entry)
    {
        var header = new Fields(stream);
        header.U32(0x02014b50).U16(NeededVersion).U16(NeededVersion).U16(0).U16(0).U16(0).U16(EarliestDate).U32(entry.Checksum);
        header.U32(uint.MaxValue).U32(uint.MaxValue).U16((ushort)entry.Name.Length).U16(28).U16(0);
        header.U16(0).U16(0).U32(0).U32(uint.MaxValue).Text(entry.Name);
        header.U16(1).U16(24).U64(entry.Length).U64(entry.Length).U64(entry.Header);
    }

    private static uint Clamp(long value) => (uint)Math.Min(value, uint.MaxValue);

    private readonly record struct Entry(string Name, long Header, long Length, uint Checksum);

    /// <summary>Little-endian fields, one after the other.</summary>
    private readonly struct Fields(Stream stream)
    {
        public Fields U16(ushort value)
        {
            Span<byte> bytes = stackalloc byte[sizeof(ushort)];
            BinaryPrimitives.WriteUInt16LittleEndian(bytes, value);
            stream.Write(bytes);
            return this;
        }

        public Fields U32(uint value)
        {
            Span<byte> bytes = stackalloc byte[sizeof(uint)];
            BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
            stream.Write(bytes);
            return this;
        }

        public Fields U64(long value)
        {
            Span<byte> bytes = stackalloc byte[sizeof(long)];
            BinaryPrimitives.WriteInt64LittleEndian(bytes, value);
            stream.Write(bytes);
            return this;
        }

        public Fields Text(string value)
        {
            stream.Write(Encoding.ASCII.GetBytes(value));
            return this;
        }
    }
}
