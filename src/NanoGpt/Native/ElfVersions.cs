// Which versions of the C++ library a library was linked against, and a copy of it that asks for less. It reads what the
// loader reads (the dynamic segment, not the section table) and trusts no number in it.

using System.Buffers.Binary;
using System.Text;

namespace NanoGpt.Native;

/// <summary>The symbol versions that one library in memory needs. Changes only the bytes it was given.</summary>
/// <remarks>Format: "System V ABI, Linux Standard Base: symbol versioning" (Elf64_Verneed, Elf64_Vernaux).</remarks>
internal sealed class ElfVersions
{
    private const uint Mapped = 1, Dynamic = 2;
    private const ushort WeakFlag = 2;
    private const int SymbolSize = 24, RelocationSize = 24, MaxNeeds = 4096, MaxName = 4096;

    private readonly string _path;
    private readonly byte[] _image;
    private readonly ElfHeader _header;
    private readonly Dictionary<long, ulong> _dynamic = [];

    /// <summary>Reads the needs of the library whose bytes are <paramref name="image"/>.</summary>
    /// <exception cref="BackendException">The bytes are no whole x64 library.</exception>
    public ElfVersions(string path, byte[] image)
    {
        _path = path;
        _image = image;
        _header = ElfHeader.Parse(path, image, image.Length);
        ReadDynamicSegment();
        ReadNeeds();
    }

    /// <summary>Each version that is asked for, by name.</summary>
    public Dictionary<string, Need> Needs { get; } = new(StringComparer.Ordinal);

    /// <summary>The symbols of one version that the loader will really look for: those that a relocation names.</summary>
    public HashSet<string> ReferencedSymbols(Need need) =>
        [.. RelocatedSymbols().Where(symbol => VersionIndex(symbol) == need.Index).Select(SymbolName)];

    /// <summary>Makes the loader accept a system that lacks this version. Only right if no symbol of it is referenced.</summary>
    public void MakeOptional(Need need) =>
        BinaryPrimitives.WriteUInt16LittleEndian(Slice(need.FlagsOffset, 2), (ushort)(need.Flags | WeakFlag));

    /// <summary>Binds one symbol of version <paramref name="from"/> to version <paramref name="to"/>.</summary>
    public void Rebind(string name, Need from, Need to)
    {
        foreach (var symbol in RelocatedSymbols().Where(s => VersionIndex(s) == from.Index && SymbolName(s) == name).ToHashSet())
            BinaryPrimitives.WriteUInt16LittleEndian(Slice(VersionOffset(symbol), 2), to.Index);
    }

    private void ReadDynamicSegment()
    {
        foreach (var segment in _header.Segments.Where(s => s.Type == Dynamic))
        {
            for (var offset = segment.Offset; offset + 16 <= segment.Offset + segment.Length; offset += 16)
            {
                var tag = BinaryPrimitives.ReadInt64LittleEndian(Slice(offset, 16));
                if (tag == 0) break;
                _dynamic[tag] = BinaryPrimitives.ReadUInt64LittleEndian(Slice(offset + 8, 8));
            }
        }
    }

    private void ReadNeeds()
    {
        const long verneed = 0x6ffffffe;
        if (!_dynamic.ContainsKey(verneed)) return;
        var (file, seen) = (OffsetOf(verneed), 0);
        while (true)
        {
            var entry = Slice(file, 16);
            var count = BinaryPrimitives.ReadUInt16LittleEndian(entry[2..]);
            var aux = file + BinaryPrimitives.ReadUInt32LittleEndian(entry[8..]);
            var nextFile = BinaryPrimitives.ReadUInt32LittleEndian(entry[12..]);
            for (var i = 0; i < count; i++)
            {
                if (++seen > MaxNeeds) throw Broken($"it lists more than {MaxNeeds} symbol versions");
                var need = Slice(aux, 16);
                Needs[Text(BinaryPrimitives.ReadUInt32LittleEndian(need[8..]))] = new Need(
                    (ushort)(BinaryPrimitives.ReadUInt16LittleEndian(need[6..]) & 0x7fff), aux + 4,
                    BinaryPrimitives.ReadUInt16LittleEndian(need[4..]));
                var next = BinaryPrimitives.ReadUInt32LittleEndian(need[12..]);
                if (next == 0) break;
                aux += next;
            }

            if (nextFile == 0) return;
            if (++seen > MaxNeeds) throw Broken($"it lists more than {MaxNeeds} symbol versions");
            file += nextFile;
        }
    }

    /// <summary>Indices into the symbol table, from both relocation tables; 0 (no symbol) left out.</summary>
    private IEnumerable<uint> RelocatedSymbols()
    {
        foreach (var (table, size) in new (long, long)[] { (7, 8), (23, 2) }) // DT_RELA, DT_RELASZ; DT_JMPREL, DT_PLTRELSZ
        {
            if (!_dynamic.ContainsKey(table) || !_dynamic.TryGetValue(size, out var length)) continue;
            var start = OffsetOf(table);
            if (length > (ulong)_image.Length) throw Broken($"a relocation table of {length} bytes");
            for (var offset = start; offset + RelocationSize <= start + (long)length; offset += RelocationSize)
            {
                var symbol = BinaryPrimitives.ReadUInt32LittleEndian(Slice(offset + 12, 4));
                if (symbol != 0) yield return symbol;
            }
        }
    }

    private int VersionIndex(uint symbol) => BinaryPrimitives.ReadUInt16LittleEndian(Slice(VersionOffset(symbol), 2)) & 0x7fff;

    private long VersionOffset(uint symbol) => OffsetOf(0x6ffffff0) + 2L * symbol; // DT_VERSYM

    private string SymbolName(uint symbol) =>
        Text(BinaryPrimitives.ReadUInt32LittleEndian(Slice(OffsetOf(6) + (long)SymbolSize * symbol, 4))); // DT_SYMTAB

    private string Text(uint index)
    {
        var rest = _image.AsSpan((int)CheckedOffset(OffsetOf(5) + index, 1)); // DT_STRTAB
        var end = rest.IndexOf((byte)0);
        return end is < 0 or > MaxName ? throw Broken("a name without an end") : Encoding.UTF8.GetString(rest[..end]);
    }

    /// <summary>Where the table that a dynamic tag names lies in the file.</summary>
    private long OffsetOf(long tag)
    {
        if (!_dynamic.TryGetValue(tag, out var address)) throw Broken($"no entry 0x{tag:x} in its dynamic segment");
        foreach (var s in _header.Segments)
        {
            if (s.Type == Mapped && address >= s.Address && address - s.Address < (ulong)s.Length)
                return s.Offset + (long)(address - s.Address);
        }

        throw Broken($"entry 0x{tag:x} of its dynamic segment points outside the file (address 0x{address:x})");
    }

    private Span<byte> Slice(long offset, int length) => _image.AsSpan((int)CheckedOffset(offset, length), length);

    private long CheckedOffset(long offset, int length) =>
        offset >= 0 && offset <= _image.Length - length ? offset : throw Broken($"a table that reaches to byte {offset + length}");

    private BackendException Broken(string found) => new(
        $"{_path}: broken: {found}, in a file of {_image.Length} bytes. Restore the packages again (dotnet restore --force).");

    /// <summary>One version that the library asks for.</summary>
    /// <param name="Index">The number that stands for it in the symbol table.</param>
    /// <param name="FlagsOffset">Where its flags lie in the file.</param>
    /// <param name="Flags">Its flags as read.</param>
    internal readonly record struct Need(ushort Index, long FlagsOffset, ushort Flags);
}
