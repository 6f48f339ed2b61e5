// The directory of a zip file whose entries are stored, not compressed, as PyTorch writes them: each entry is then a range
// of the file and needs no unpacking. Compressed entries are refused, so nothing here can grow.

using System.Buffers.Binary;
using System.Text;
using NanoGpt.IO;

namespace NanoGpt.Formats;

/// <summary>Finds the entries of a zip file in memory.</summary>
internal static unsafe class StoredZip
{
    /// <summary>The most entries. A checkpoint of GPT-2 xl with its optimizer has 2,400.</summary>
    public const int MaxEntries = 16_384;

    /// <summary>The longest name of an entry in bytes.</summary>
    public const int MaxNameLength = 128;

    private const int EndSize = 22;
    private const int End64Size = 56;
    private const int Locator64Size = 20;
    private const int EntrySize = 46;
    private const int LocalSize = 30;

    /// <summary>Whether the bytes begin as a zip file does.</summary>
    public static bool IsZip(byte* start, long length) => length >= 4 && new ReadOnlySpan<byte>(start, 4).SequenceEqual("PK\u0003\u0004"u8);

    /// <summary>Reads the directory and proves that every entry lies whole, alone and uncompressed in the file.</summary>
    /// <param name="start">The first byte of the file.</param>
    /// <param name="length">Its length.</param>
    /// <param name="path">Names the file in errors.</param>
    /// <returns>Name to range.</returns>
    public static Dictionary<string, (long Offset, long Length)> Read(byte* start, long length, string path)
    {
        var zip = new Bytes(start, length, path);
        var (position, end, count) = FindDirectory(zip);
        var entries = new Dictionary<string, (long Offset, long Length)>(count);
        var ranges = new List<(long Begin, long End)>(count);
        for (var i = 0; i < count; i++)
        {
            var entry = ReadEntry(zip, ref position, end);
            var local = CheckLocal(zip, entry, end);
            if (!entries.TryAdd(entry.Name, (local, entry.Length))) throw zip.Fault($"has {UntrustedText.Quote(entry.Name)} twice");
            ranges.Add((entry.LocalHeader, local + entry.Length));
        }

        ranges.Sort();
        for (var i = 1; i < ranges.Count; i++)
            if (ranges[i].Begin < ranges[i - 1].End) throw zip.Fault("has entries that lie over one another");
        return entries;
    }

    /// <summary>Begin, end and number of entries of the central directory.</summary>
    private static (long Begin, long End, int Count) FindDirectory(Bytes zip)
    {
        var end = FindEnd(zip);
        long count = zip.U16(end + 10), size = zip.U32(end + 12), offset = zip.U32(end + 16);
        var limit = end;
        if (count == ushort.MaxValue || size == uint.MaxValue || offset == uint.MaxValue)
        {
            var locator = end - Locator64Size;
            if (zip.U32(locator) != 0x07064b50) throw zip.Fault("has no 64-bit directory, which its sizes need");
            limit = zip.I64(locator + 8);
            if (limit > locator - End64Size || zip.U32(limit) != 0x06064b50) throw zip.Fault("has a 64-bit directory that is not where it should be");
            (count, size, offset) = (zip.I64(limit + 32), zip.I64(limit + 40), zip.I64(limit + 48));
        }

        if (count > MaxEntries) throw zip.Fault($"has {count} entries, the limit is {MaxEntries}");
        if (offset > limit || size > limit - offset) throw zip.Fault("has a directory that lies outside it");
        return (offset, offset + size, (int)count);
    }

    /// <summary>The end record: the last bytes of the file, before a comment of at most 64 KB.</summary>
    private static long FindEnd(Bytes zip)
    {
        for (var at = zip.Length - EndSize; at >= 0 && at >= zip.Length - EndSize - ushort.MaxValue; at--)
            if (zip.U32(at) == 0x06054b50 && at + EndSize + zip.U16(at + 20) == zip.Length) return at;
        throw zip.Fault("has no directory at its end: it is cut off or not a zip file");
    }

    private static Entry ReadEntry(Bytes zip, ref long position, long directoryEnd)
    {
        if (position > directoryEnd - EntrySize || zip.U32(position) != 0x02014b50) throw zip.Fault("has a directory that is cut off");
        int flags = zip.U16(position + 8), method = zip.U16(position + 10);
        long packed = zip.U32(position + 20), size = zip.U32(position + 24), local = zip.U32(position + 42);
        int nameLength = zip.U16(position + 28), extraLength = zip.U16(position + 30), commentLength = zip.U16(position + 32);
        if (position + EntrySize + nameLength + extraLength + commentLength > directoryEnd) throw zip.Fault("has a directory that is cut off");
        if (nameLength > MaxNameLength) throw zip.Fault($"has a name of {nameLength} bytes, the limit is {MaxNameLength}");

        var name = Encoding.UTF8.GetString(zip.Span(position + EntrySize, nameLength));
        ReadZip64(zip, position + EntrySize + nameLength, extraLength, ref size, ref packed, ref local);
        position += EntrySize + nameLength + extraLength + commentLength;
        if ((flags & 1) != 0) throw zip.Fault($"has the encrypted entry {UntrustedText.Quote(name)}");
        if (method != 0 || packed != size)
            throw zip.Fault($"has the compressed entry {UntrustedText.Quote(name)}; PyTorch stores its entries uncompressed");
        return new Entry(name, local, size, nameLength);
    }

    /// <summary>Values that do not fit 32 bits follow in an extra field, in this order, and only those.</summary>
    private static void ReadZip64(Bytes zip, long position, int length, ref long size, ref long packed, ref long local)
    {
        var end = position + length;
        while (position + 4 <= end)
        {
            int id = zip.U16(position), fieldLength = zip.U16(position + 2);
            var field = position + 4;
            position = field + fieldLength;
            if (position > end) throw zip.Fault("has an extra field that is cut off");
            if (id != 1) continue;
            if (size == uint.MaxValue) size = Next(ref field, position);
            if (packed == uint.MaxValue) packed = Next(ref field, position);
            if (local == uint.MaxValue) local = Next(ref field, position);
        }

        long Next(ref long field, long fieldEnd)
        {
            if (field + 8 > fieldEnd) throw zip.Fault("has a 64-bit field that is cut off");
            field += 8;
            return zip.I64(field - 8);
        }
    }

    /// <summary>The header before the data must tell the same name. Returns where the data begins.</summary>
    private static long CheckLocal(Bytes zip, Entry entry, long directoryEnd)
    {
        var at = entry.LocalHeader;
        if (at > directoryEnd - LocalSize || zip.U32(at) != 0x04034b50) throw zip.Fault($"has no entry where {UntrustedText.Quote(entry.Name)} should be");
        var nameLength = zip.U16(at + 26);
        var data = at + LocalSize + nameLength + zip.U16(at + 28);
        if (data > directoryEnd || entry.Length > directoryEnd - data) throw zip.Fault($"is cut off inside {UntrustedText.Quote(entry.Name)}");
        if (nameLength != entry.NameLength || Encoding.UTF8.GetString(zip.Span(at + LocalSize, nameLength)) != entry.Name)
            throw zip.Fault($"has two names for the entry {UntrustedText.Quote(entry.Name)}");
        return data;
    }

    private readonly record struct Entry(string Name, long LocalHeader, long Length, int NameLength);

    /// <summary>Reads that cannot leave the file.</summary>
    private readonly struct Bytes(byte* start, long length, string path)
    {
        public long Length => length;

        public ReadOnlySpan<byte> Span(long offset, int count) => offset >= 0 && count <= length && offset <= length - count
            ? new ReadOnlySpan<byte>(start + offset, count) : throw Fault("is cut off");

        public int U16(long offset) => BinaryPrimitives.ReadUInt16LittleEndian(Span(offset, sizeof(ushort)));

        public long U32(long offset) => BinaryPrimitives.ReadUInt32LittleEndian(Span(offset, sizeof(uint)));

        public long I64(long offset)
        {
            var value = BinaryPrimitives.ReadInt64LittleEndian(Span(offset, sizeof(long)));
            return value >= 0 ? value : throw Fault("has a size above 2^63");
        }

        public ModelFormatException Fault(string what) => new($"{path} {what}. Is it a PyTorch checkpoint, and whole?");
    }
}
