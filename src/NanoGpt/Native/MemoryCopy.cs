// A library that is loaded from memory: no file that another process could see half written, replace or leave behind.

using Microsoft.Win32.SafeHandles;

namespace NanoGpt.Native;

/// <summary>Loads a library from bytes.</summary>
internal static class MemoryCopy
{
    /// <summary>Loads <paramref name="image"/> from a file in memory, or where there is none from a private folder.</summary>
    /// <param name="name">The name to show in tools that list a process's files.</param>
    /// <param name="image">The bytes of the library.</param>
    /// <param name="error">The loader's words where it failed.</param>
    /// <returns>The handle, or 0.</returns>
    public static nint Load(string name, byte[] image, out string error)
    {
        // The descriptor stays open: the loader knows the library by this path, so no other file may ever have it.
        var descriptor = DynamicLoader.CreateMemoryFile(name);
        var path = $"/proc/self/fd/{descriptor}";
        if (descriptor < 0 || !File.Exists(path)) return LoadFromPrivateFolder(name, image, out error);

        using (var file = new SafeFileHandle(descriptor, ownsHandle: false)) RandomAccess.Write(file, image, 0);
        var library = DynamicLoader.Open(path, out error);
        return library != 0 ? library : LoadFromPrivateFolder(name, image, out error);
    }

    /// <summary>For kernels and sandboxes without files in memory: a new folder that only this user can enter.</summary>
    internal static nint LoadFromPrivateFolder(string name, byte[] image, out string error)
    {
        DirectoryInfo? folder = null;
        try
        {
            folder = Directory.CreateTempSubdirectory("nanogpt-"); // mode 0700, a name that nobody can know before
            var path = Path.Combine(folder.FullName, name);
            File.WriteAllBytes(path, image);
            return DynamicLoader.Open(path, out error);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            error = e.Message;
            return 0;
        }
        finally
        {
            TryDelete(folder); // what is mapped stays mapped
        }
    }

    private static void TryDelete(DirectoryInfo? folder)
    {
        try
        {
            folder?.Delete(recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A leftover of 2 MB in the temporary folder; the library is loaded, which is what was asked for.
        }
    }
}
