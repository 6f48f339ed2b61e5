// A file as read-only memory: the operating system reads its pages when they are touched and may drop them again. Knows
// nothing of what the bytes mean.

using System.IO.MemoryMappedFiles;

namespace NanoGpt.IO;

/// <summary>A memory-mapped file, read only. Reading is safe from several threads; disposing is not.</summary>
/// <remarks>
/// Another process that truncates the file while it is mapped makes a read of the lost part fail as a hardware error would.
/// Files that are replaced by rename, as <see cref="AtomicFile"/> and every hub client do, are safe.
/// </remarks>
internal sealed unsafe class MappedFile : IDisposable
{
    private readonly MemoryMappedFile? _map;
    private readonly MemoryMappedViewAccessor? _view;
    private readonly byte* _start;
    private bool _disposed;

    private MappedFile(string path, FileStream stream)
    {
        Path = path;
        Length = stream.Length;
        if (Length == 0) return; // An empty file cannot be mapped, and has nothing to read.
        _map = MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
        _view = _map.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref _start);
    }

    public string Path { get; }

    public long Length { get; }

    /// <summary>The first byte. Reading behind <see cref="Length"/> is undefined.</summary>
    /// <exception cref="ObjectDisposedException">The file is no longer mapped.</exception>
    public byte* Start
    {
        get
        {
            ThrowIfDisposed();
            return _start;
        }
    }

    /// <summary>Maps the whole of an existing file.</summary>
    /// <exception cref="ModelFormatException">There is no such file, or it cannot be read.</exception>
    public static MappedFile Open(string path)
    {
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize: 0);
            return new MappedFile(path, stream);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ModelFormatException($"{path} cannot be read: {e.Message}", e);
        }
    }

    /// <summary>The first bytes, at most <paramref name="count"/>.</summary>
    public ReadOnlySpan<byte> Head(int count) => new(Start, (int)Math.Min(Length, count));

    /// <summary>Says that a range is not needed soon, so that its pages stop counting as resident. Reading it again is right, and slower.</summary>
    public void Discard(byte* from, long count)
    {
        if (_disposed || count <= 0) return;
        var offset = from - _start;
        var first = offset - offset % Environment.SystemPageSize;
        Posix.DiscardPages(_start + first, (nuint)(offset + count - first));
    }

    public void ThrowIfDisposed() => ObjectDisposedException.ThrowIf(_disposed, this);

    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        _view?.SafeMemoryMappedViewHandle.ReleasePointer();
        _view?.Dispose();
        _map?.Dispose();
    }
}
