// Keeps memory between training steps. glibc gives each freed tensor above 128 KB back to the kernel, which hands it out
// again as zeroed pages, one fault for every 4 KB: a training step allocates and frees gigabytes. Linux with glibc only, and
// only on the program's first thread: the arenas that glibc gives to other threads always return large blocks.

using System.Runtime.InteropServices;

namespace NanoGpt.Training;

/// <summary>Tells glibc's allocator not to give memory back, until disposed. Process-wide; nested uses count.</summary>
internal sealed partial class GlibcHeap : IDisposable
{
    // malloc.h; a threshold of -1 means never.
    private const int TrimThreshold = -1, TopPad = -2, MmapThreshold = -3, MmapMax = -4;
    private const int Never = -1, LargestMmapThreshold = 32 << 20, DefaultMmapMax = 65536, DefaultTrimThreshold = 128 << 10, Pad = 16 << 20;

    private static readonly object Gate = new();
    private static int _users;
    private bool _isDisposed;

    private GlibcHeap()
    {
    }

    /// <summary>Whether this process allocates by glibc.</summary>
    public static bool IsUsed { get; } = OperatingSystem.IsLinux()
        && !RuntimeInformation.RuntimeIdentifier.Contains("musl", StringComparison.Ordinal)
        && NativeLibrary.TryLoad("libc.so.6", out var libc) && NativeLibrary.TryGetExport(libc, "gnu_get_libc_version", out _);

    /// <summary>Keeps memory until the result is disposed; null where there is no glibc to tell, or on a thread where it would not listen.</summary>
    public static GlibcHeap? Keep()
    {
        if (!IsUsed || !IsOnMainArena()) return null;
        lock (Gate)
        {
            if (_users++ == 0) Set(mmapMax: 0, Never, Pad);
        }

        return new GlibcHeap();
    }

    /// <summary>Goes back to giving memory back, and gives back what is free.</summary>
    public void Dispose()
    {
        if (_isDisposed) return;
        _isDisposed = true;
        lock (Gate)
        {
            if (--_users > 0) return;
            Set(DefaultMmapMax, DefaultTrimThreshold, topPad: 0);
            _ = Option(MmapThreshold, LargestMmapThreshold); // where glibc's own tuning, now off, ends up with large blocks
            _ = Trim(0);
        }
    }

    // glibc marks a block of any other arena in the lowest bits of the size before it (malloc.c, NON_MAIN_ARENA). The block
    // must be too large for the thread's own cache, which may hold blocks of any arena.
    private static unsafe bool IsOnMainArena()
    {
        const nuint size = 8192, nonMainArena = 4;
        var block = (nuint*)NativeMemory.Alloc(size);
        var isOther = (block[-1] & nonMainArena) != 0;
        NativeMemory.Free(block);
        return !isOther;
    }

    private static void Set(int mmapMax, int trimThreshold, int topPad)
    {
        _ = Option(MmapMax, mmapMax);
        _ = Option(TrimThreshold, trimThreshold);
        _ = Option(TopPad, topPad);
    }

    [LibraryImport("libc", EntryPoint = "mallopt")]
    private static partial int Option(int parameter, int value);

    [LibraryImport("libc", EntryPoint = "malloc_trim")]
    private static partial int Trim(nuint pad);
}
