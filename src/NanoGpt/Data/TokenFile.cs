// Token ids as they lie in a .bin file: nanoGPT's uint16 without a header, or uint32 behind a header of ours. Mapped, not
// read: a file of any size opens at once and takes no memory of its own. Writing is TokenFileWriter.cs.

using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;
using NanoGpt.IO;

namespace NanoGpt.Data;

/// <summary>A long row of token ids, in a file or in memory. Reading is safe from several threads; disposing is not.</summary>
public sealed unsafe class TokenFile : IDisposable
{
    /// <summary>Length of the header of a file of 32-bit ids: four bytes FF, "NGPT", and the number of ids as 64 bits.</summary>
    internal const int HeaderBytes = 16;

    private readonly MappedFile? _file;
    private readonly Array? _pinned;
    private readonly byte* _ids;
    private readonly bool _wide;
    private bool _disposed;

    private TokenFile(string path, MappedFile file, long count, bool wide)
    {
        (Path, Count, _file, _wide) = (path, count, file, wide);
        _ids = file.Start + (wide ? HeaderBytes : 0);
    }

    private TokenFile(string name, Array pinned, long count, bool wide)
    {
        (Path, Count, _pinned, _wide) = (name, count, pinned, wide);
        _ids = (byte*)Marshal.UnsafeAddrOfPinnedArrayElement(pinned, 0);
    }

    /// <summary>The file, or what stands for it in messages where the ids are in memory.</summary>
    public string Path { get; }

    /// <summary>Number of ids.</summary>
    public long Count { get; }

    /// <summary>Opens a file of ids.</summary>
    /// <param name="path">A .bin file as nanoGPT's prepare.py or our <see cref="DatasetPreparation"/> writes it.</param>
    /// <exception cref="ModelFormatException">There is no such file, or its length is that of no such file.</exception>
    public static TokenFile Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (!File.Exists(path)) throw new ModelFormatException($"{path}: no such file; expected token ids. Has the dataset been prepared?");
        var file = MappedFile.Open(path);
        try
        {
            var head = file.Head(HeaderBytes);
            if (head.Length == HeaderBytes && head.StartsWith(Magic))
            {
                var count = BinaryPrimitives.ReadInt64LittleEndian(head[8..]);
                if (count < 0 || count > (long.MaxValue - HeaderBytes) / sizeof(uint) || file.Length != HeaderBytes + count * sizeof(uint))
                    throw new ModelFormatException($"{path}: the header says {count} ids of 4 bytes, the file has {file.Length - HeaderBytes} bytes of ids. Is it a part of a file? Prepare the dataset again.");
                return new TokenFile(path, file, count, wide: true);
            }

            if (file.Length % sizeof(ushort) != 0)
                throw new ModelFormatException($"{path}: {file.Length} bytes, an odd number; ids take 2 bytes each. Is it a part of a file? Prepare the dataset again.");
            return new TokenFile(path, file, file.Length / sizeof(ushort), wide: false);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Copies ids into the caller's buffer.</summary>
    /// <param name="start">The first id, from 0.</param>
    /// <param name="destination">Room for as many ids as are wanted.</param>
    /// <exception cref="ArgumentOutOfRangeException">The range goes beyond the last id.</exception>
    public void CopyTo(long start, Span<long> destination)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (start < 0 || start > Count - destination.Length)
            throw new ArgumentOutOfRangeException(nameof(start), start, $"{Path}: {destination.Length} ids from {start} on; there are {Count}.");

        if (_wide)
        {
            var ids = new ReadOnlySpan<uint>((uint*)_ids + start, destination.Length);
            for (var i = 0; i < ids.Length; i++) destination[i] = ids[i];
        }
        else
        {
            var ids = new ReadOnlySpan<ushort>((ushort*)_ids + start, destination.Length);
            for (var i = 0; i < ids.Length; i++) destination[i] = ids[i];
        }

        GC.KeepAlive(this);
    }

    /// <summary>Reads all ids once and refuses those that a model has no embedding for.</summary>
    /// <param name="vocabSize">The model's number of ids.</param>
    /// <exception cref="ModelFormatException">An id is not below <paramref name="vocabSize"/>; the message says which and where.</exception>
    public void CheckIds(int vocabSize)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        var (position, id) = _wide ? FindAtLeast((uint*)_ids, (uint)vocabSize)
            : vocabSize > ushort.MaxValue ? (-1, 0) : FindAtLeast((ushort*)_ids, (ushort)vocabSize);
        GC.KeepAlive(this);
        if (position < 0) return;
        throw new ModelFormatException($"{Path}: id {id} at position {position}; the model's vocabulary has {vocabSize} ids. Was the dataset prepared with another tokenizer?");
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _disposed = true;
        _file?.Dispose();
    }

    internal static ReadOnlySpan<byte> Magic => [0xFF, 0xFF, 0xFF, 0xFF, (byte)'N', (byte)'G', (byte)'P', (byte)'T'];

    /// <summary>Ids in memory, under a name for messages.</summary>
    internal static TokenFile FromIds(string name, ReadOnlySpan<int> ids)
    {
        if (ids.IndexOfAnyExceptInRange(0, ushort.MaxValue) < 0)
        {
            var narrow = GC.AllocateUninitializedArray<ushort>(ids.Length + 1, pinned: true);
            for (var i = 0; i < ids.Length; i++) narrow[i] = (ushort)ids[i];
            return new TokenFile(name, narrow, ids.Length, wide: false);
        }

        var wide = GC.AllocateUninitializedArray<int>(ids.Length, pinned: true);
        ids.CopyTo(wide);
        return new TokenFile(name, wide, ids.Length, wide: true);
    }

    private (long Position, long Id) FindAtLeast<T>(T* ids, T limit) where T : unmanaged, IBinaryInteger<T>, IMinMaxValue<T>
    {
        const int Part = 1 << 20;
        for (long start = 0; start < Count; start += Part)
        {
            var part = new ReadOnlySpan<T>(ids + start, (int)Math.Min(Part, Count - start));
            if (part.IndexOfAnyInRange(limit, T.MaxValue) is var found and >= 0) return (start + found, long.CreateChecked(part[found]));
        }

        return (-1, 0);
    }
}
