// Zeroed native memory, aligned for vectors and, where it is large, for huge pages. Not an array: weights and caches pass
// two gigabytes and must not move.

using System.Runtime.InteropServices;

namespace NanoGpt.Numerics;

/// <summary>A block of zeroed native memory. Freed by Dispose, or by the finalizer where nobody does.</summary>
internal sealed unsafe partial class NativeBuffer : IDisposable
{
    private const long HugePage = 2 << 20;
    private const int CacheLine = 64;
    private const int AdviseHugePages = 14; // MADV_HUGEPAGE

    private readonly byte* _data;
    private readonly long _reserved;
    private byte* _allocation;

    /// <summary>Allocates and zeroes.</summary>
    /// <param name="length">Bytes; some more may be read, not written, beyond the end (vector loads, prefetches).</param>
    public NativeBuffer(long length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        Length = length;
        var isLarge = length >= 2 * HugePage;
        var alignment = isLarge ? HugePage : CacheLine;
        _reserved = checked(length + Slack + alignment);

        // calloc takes large blocks from the system, which hands out pages that are zero already, on first touch.
        _allocation = (byte*)NativeMemory.AllocZeroed((nuint)_reserved);
        _data = (byte*)(((long)_allocation + alignment - 1) & -alignment);
        if (isLarge && OperatingSystem.IsLinux()) TryUseHugePages(_data, length / HugePage * HugePage);
        GC.AddMemoryPressure(_reserved);
    }

    ~NativeBuffer() => Free();

    /// <summary>Bytes that may be read, though not relied on, beyond the end of any buffer.</summary>
    public const int Slack = 256;

    public long Length { get; }

    public byte* Bytes => _data;

    public float* Floats => (float*)_data;

    public static NativeBuffer OfFloats(long count) => new(checked(count * sizeof(float)));

    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        if (_allocation is null) return;
        NativeMemory.Free(_allocation);
        _allocation = null;
        GC.RemoveMemoryPressure(_reserved);
    }

    /// <summary>Huge pages spare address lookups when gigabytes stream by; a kernel without them changes nothing.</summary>
    private static void TryUseHugePages(byte* address, long length)
    {
        try
        {
            _ = MemoryAdvise(address, (nuint)length, AdviseHugePages);
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            // Only speed depends on it.
        }
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int MemoryAdvise(byte* address, nuint length, int advice);
}
