// The head of a Linux library, read before the loader sees it: dlopen kills the process on a file that was cut short.
// Only the facts that tell a usable library from a broken or foreign one.

using System.Buffers.Binary;

namespace NanoGpt.Native;

/// <summary>The checked head of an ELF library for x64.</summary>
internal sealed class ElfHeader
{
    private const int Size = 64, SegmentSize = 56, MaxSegments = 128;
    private const ushort SharedObject = 3, X64 = 62, Arm64 = 183, X86 = 3;

    private ElfHeader(Segment[] segments) => Segments = segments;

    /// <summary>What the loader maps or reads, in file order.</summary>
    public Segment[] Segments { get; }

    /// <summary>Reads and checks the head of a library.</summary>
    /// <exception cref="BackendException">It is no whole x64 library.</exception>
    public static ElfHeader Read(string path)
    {
        try
        {
            using var file = File.OpenHandle(path);
            var head = new byte[Math.Min(RandomAccess.GetLength(file), Size + MaxSegments * SegmentSize)];
            var read = RandomAccess.Read(file, head, 0);
            return Parse(path, head.AsSpan(0, read), RandomAccess.GetLength(file));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BackendException($"{path}: cannot be read: {e.Message}", e);
        }
    }

    /// <summary>Checks the head of a library.</summary>
    /// <param name="path">The name to use in messages.</param>
    /// <param name="head">Its first bytes, as far as the program header table reaches.</param>
    /// <param name="fileLength">How long the whole file is.</param>
    /// <exception cref="BackendException">It is no whole x64 library.</exception>
    public static ElfHeader Parse(string path, ReadOnlySpan<byte> head, long fileLength)
    {
        if (head.Length < Size || !head.StartsWith("\u007fELF"u8))
            throw Broken(path, $"not a Linux library (its {fileLength} bytes do not begin with an ELF header)");
        if (head[4] != 2 || head[5] != 1) throw Broken(path, "not a 64-bit little-endian library");
        var machine = BinaryPrimitives.ReadUInt16LittleEndian(head[18..]);
        if (machine != X64) throw Broken(path, $"built for {NameOf(machine)}; this process runs on x64");
        if (BinaryPrimitives.ReadUInt16LittleEndian(head[16..]) != SharedObject) throw Broken(path, "not a shared library");

        CheckEnd(path, "its section table", head[40..], BinaryPrimitives.ReadUInt16LittleEndian(head[60..])
            * (long)BinaryPrimitives.ReadUInt16LittleEndian(head[58..]), fileLength);
        return new ElfHeader(ReadSegments(path, head, fileLength));
    }

    private static Segment[] ReadSegments(string path, ReadOnlySpan<byte> head, long fileLength)
    {
        var offset = BinaryPrimitives.ReadUInt64LittleEndian(head[32..]);
        var count = BinaryPrimitives.ReadUInt16LittleEndian(head[56..]);
        if (BinaryPrimitives.ReadUInt16LittleEndian(head[54..]) != SegmentSize || count is 0 or > MaxSegments
            || offset > (ulong)head.Length || offset + (ulong)(count * SegmentSize) > (ulong)head.Length)
            throw Broken(path, $"its program header table ({count} entries at byte {offset}) is not where a library has it");

        var segments = new Segment[count];
        for (var i = 0; i < count; i++)
        {
            var entry = head.Slice((int)offset + i * SegmentSize, SegmentSize);
            var length = BinaryPrimitives.ReadUInt64LittleEndian(entry[32..]);
            CheckEnd(path, $"segment {i}", entry[8..], length > long.MaxValue ? long.MaxValue : (long)length, fileLength);
            segments[i] = new Segment(BinaryPrimitives.ReadUInt32LittleEndian(entry),
                BinaryPrimitives.ReadInt64LittleEndian(entry[8..]), BinaryPrimitives.ReadUInt64LittleEndian(entry[16..]), (long)length);
        }

        return segments;
    }

    private static void CheckEnd(string path, string what, ReadOnlySpan<byte> offsetField, long length, long fileLength)
    {
        var offset = BinaryPrimitives.ReadUInt64LittleEndian(offsetField);
        if (offset > (ulong)fileLength || length > fileLength - (long)offset)
            throw Broken(path, $"cut short: {what} is {length} bytes at byte {offset}, but the file has {fileLength} bytes");
    }

    private static string NameOf(ushort machine) => machine switch
    {
        Arm64 => "arm64",
        X86 => "x86 (32 bits)",
        _ => $"another processor (ELF machine {machine})",
    };

    private static BackendException Broken(string path, string what) =>
        new($"{path}: {what}. Restore the packages again (dotnet restore --force), or copy the file anew.");

    /// <summary>One entry of the program header table.</summary>
    /// <param name="Type">1: mapped into memory; 2: what the loader has to know.</param>
    /// <param name="Offset">Its first byte in the file.</param>
    /// <param name="Address">Its address in memory, relative to where the library is loaded.</param>
    /// <param name="Length">Its bytes in the file.</param>
    internal readonly record struct Segment(uint Type, long Offset, ulong Address, long Length);
}
