// The few POSIX calls that the class library has no door to. Each is a request that may be refused: nothing is wrong when
// it is, only slower, larger or less sure to survive a power cut.

using System.Runtime.InteropServices;

namespace NanoGpt.IO;

/// <summary>Advice to the operating system; does nothing where it cannot be given.</summary>
internal static unsafe partial class Posix
{
    private const int DontNeed = 4; // MADV_DONTNEED on Linux
    private const int ReadOnly = 0; // O_RDONLY

    /// <summary>Lets go of the pages of a read-only file mapping; the next read of them goes to the file again.</summary>
    public static void DiscardPages(byte* address, nuint length)
    {
        if (!OperatingSystem.IsLinux()) return;
        try
        {
            _ = MemoryAdvise(address, length, DontNeed);
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            // No C library of that name: no advice.
        }
    }

    /// <summary>Flushes the names in a folder to the disk, so that a rename survives a power cut.</summary>
    public static void FlushFolder(string folder)
    {
        if (OperatingSystem.IsWindows()) return;
        try
        {
            var descriptor = Open(folder, ReadOnly);
            if (descriptor < 0) return;
            _ = Synchronize(descriptor);
            _ = Close(descriptor);
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            // No C library of that name: the rename is still atomic.
        }
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int MemoryAdvise(byte* address, nuint length, int advice);

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Synchronize(int descriptor);

    [LibraryImport("libc", EntryPoint = "close")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Close(int descriptor);
}
