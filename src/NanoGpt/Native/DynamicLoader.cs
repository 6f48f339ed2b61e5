// glibc's dynamic loader, as far as NativeLibrary does not reach: binding every symbol at once, asking for a symbol of one
// version, a file that exists in memory only. Called on Linux only.

using System.Runtime.InteropServices;

namespace NanoGpt.Native;

/// <summary>dlopen and its relatives.</summary>
internal static partial class DynamicLoader
{
    private const int RtldNow = 2, RtldNoLoad = 4, RtldLinkMap = 2;
    private const uint CloseOnExec = 1;

    /// <summary>Loads a library with all its symbols bound, so that one that does not fit fails here and not in a later call.</summary>
    /// <param name="path">A full path, or a bare name to be found among the loaded libraries and in the system's folders.</param>
    /// <param name="error">The loader's own words where it failed.</param>
    /// <returns>The handle, or 0.</returns>
    public static nint Open(string path, out string error)
    {
        _ = Error(); // binds dlerror before it is needed: binding it later would overwrite the message
        var handle = Open(path, RtldNow);
        error = handle == 0 ? Marshal.PtrToStringUTF8(Error()) ?? "no reason given" : "";
        return handle;
    }

    /// <summary>The handle of a library that this process has loaded already, or 0.</summary>
    public static nint FindLoaded(string name) => Open(name, RtldNow | RtldNoLoad);

    /// <summary>Whether a library offers a symbol under this version.</summary>
    public static bool HasSymbol(nint library, string symbol, string version) => VersionedSymbol(library, symbol, version) != 0;

    /// <summary>The path under which a library was loaded.</summary>
    public static unsafe string PathOf(nint library) =>
        LinkMapOf(library) is var map and not null ? Marshal.PtrToStringUTF8(map->Name) ?? "" : "";

    /// <summary>Gives a loaded library another path: whoever asks the loader for that path gets this library.</summary>
    public static unsafe void Rename(nint library, string path)
    {
        var map = LinkMapOf(library);
        if (map is not null) map->Name = Marshal.StringToCoTaskMemUTF8(path); // never freed: the library stays loaded
    }

    /// <summary>Makes a file without a name in any folder, or returns -1 where the kernel does not.</summary>
    public static int CreateMemoryFile(string name) => MemoryFile(name, CloseOnExec);

    private static unsafe LinkMap* LinkMapOf(nint library)
    {
        LinkMap* map;
        return Information(library, RtldLinkMap, &map) == 0 ? map : null;
    }

    [LibraryImport("libc", EntryPoint = "dlopen", StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "dlerror")]
    private static partial nint Error();

    [LibraryImport("libc", EntryPoint = "dlvsym", StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint VersionedSymbol(nint library, string symbol, string version);

    [LibraryImport("libc", EntryPoint = "dlinfo")]
    private static unsafe partial int Information(nint library, int request, LinkMap** map);

    [LibraryImport("libc", EntryPoint = "memfd_create", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int MemoryFile(string name, uint flags);

    /// <summary>The public part of glibc's record of a loaded library (link.h).</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct LinkMap
    {
        public nint Address;
        public nint Name;
    }
}
