// Loads libtorch, so that TorchSharp finds it already there: also where TorchSharp alone cannot (Debian 12, Ubuntu 22.04,
// RHEL 9), and with a message that names cause and fix where nobody could. Why so: docs/decisions/002-loading-libtorch.md.

using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Loader;
using Microsoft.Extensions.Logging;
using TorchSharp;

namespace NanoGpt.Native;

/// <summary>The one place where libtorch is loaded. Safe from any thread.</summary>
internal static class Libtorch
{
    private const string TorchSharpLibrary = "libLibTorchSharp.so", CpuLibraryName = "libtorch_cpu.so";
    private static readonly object NativeGate = new();
    private static volatile bool _started;
    private static nint _torchSharpLibrary;

    /// <summary>Loads libtorch if it is not loaded yet. Call it before the first TorchSharp call of a method.</summary>
    /// <param name="logger">Gets one line where a private copy of TorchSharp's native library is used.</param>
    /// <exception cref="BackendException">libtorch is missing or cannot be used: the message has cause and fix.</exception>
    public static void EnsureLoaded(ILogger? logger = null)
    {
        if (_started) return;
        if (OperatingSystem.IsLinux()) LoadNative(logger);
        else RefuseChosenFolder();
        StartTorchSharp();
        _started = true;
    }

    /// <summary>libtorch_cpu's handle, for the few exports that TorchSharp does not wrap; 0 on other systems than Linux.</summary>
    public static nint CpuLibrary()
    {
        EnsureLoaded();
        return OperatingSystem.IsLinux() ? DynamicLoader.FindLoaded(CpuLibraryName) : 0;
    }

    /// <summary>
    /// Once anything of NanoGpt has run, TorchSharp calls that a program makes by itself work too: .NET asks here when it
    /// could not load TorchSharp's native library. Costs nothing until then.
    /// </summary>
    [ModuleInitializer]
    internal static void OfferToTorchSharp()
    {
        if (!OperatingSystem.IsLinux()) return;
        var context = AssemblyLoadContext.GetLoadContext(typeof(Libtorch).Assembly) ?? AssemblyLoadContext.Default;
        context.ResolvingUnmanagedDll += (_, name) => name == "LibTorchSharp" ? LoadNative(logger: null) : 0;
    }

    // TorchSharp's start holds the runtime's lock of class torch and may call OfferToTorchSharp, which takes this gate:
    // so nothing under this gate may start TorchSharp.
    private static nint LoadNative(ILogger? logger)
    {
        lock (NativeGate)
        {
            if (_torchSharpLibrary != 0) return _torchSharpLibrary;
            RefuseOtherPlatforms();
            var chosen = LibtorchFiles.ChosenFolder();
            LoadLibtorch(chosen);
            var library = LoadTorchSharpLibrary(logger);
            if (chosen is not null) HideOwnLibtorch(chosen);
            return _torchSharpLibrary = library;
        }
    }

    private static void LoadLibtorch(string? chosen)
    {
        var folder = chosen;
        if (DynamicLoader.FindLoaded(CpuLibraryName) is var loaded and not 0)
        {
            // TorchSharp, whose own first call brought us here, has loaded this one only: the rest comes from beside it.
            folder = Path.GetDirectoryName(DynamicLoader.PathOf(loaded)) is { Length: > 0 } beside ? beside : null;
            if (chosen is not null && folder != chosen)
            {
                throw new BackendException($"{LibtorchFiles.FolderVariable}={chosen}: libtorch was loaded from {folder} before. "
                    + "Make the first TorchSharp call after the first use of NanoGpt's network.");
            }
        }

        foreach (var name in LibtorchFiles.Libraries)
        {
            var path = folder is null ? LibtorchFiles.Find(name) : Path.Combine(folder, name);
            if (path is not null) CheckNeighbours(path);
            var library = DynamicLoader.Open(path ?? name, out var error);
            if (library == 0) throw path is null ? Missing(name, error) : Unusable(path, error);
            if (name == CpuLibraryName) CheckVersion(library, path ?? name);
        }
    }

    /// <summary>The library and OpenMP's beside it, which comes in with it.</summary>
    private static void CheckNeighbours(string path)
    {
        ElfHeader.Read(path);
        foreach (var openMp in Directory.EnumerateFiles(Path.GetDirectoryName(path)!, "libgomp*")) ElfHeader.Read(openMp);
    }

    /// <summary>Two builds of libtorch share symbols by name and then memory by offsets that differ: refuse before that.</summary>
    private static unsafe void CheckVersion(nint library, string path)
    {
        var version = typeof(torch).GetField("libtorchPackageVersion", BindingFlags.NonPublic | BindingFlags.Static)?
            .GetRawConstantValue() as string;
        if (version is null || !Version.TryParse(version, out var wanted)) return;

        var found = "no libtorch, or an older one";
        if (NativeLibrary.TryGetExport(library, "aoti_torch_abi_version", out var abiVersion))
        {
            var number = ((delegate* unmanaged<ulong>)abiVersion)(); // one byte each: major, minor, patch
            var (major, minor) = ((int)(number >> 56), (int)(number >> 48 & 0xff));
            if (major == wanted.Major && minor == wanted.Minor) return;
            found = $"libtorch {major}.{minor}";
        }

        throw new BackendException($"{path}: this is {found}; TorchSharp "
            + $"{typeof(torch).Assembly.GetName().Version?.ToString(3)} needs {wanted.Major}.{wanted.Minor}. Use a libtorch of that "
            + "version, or the one that comes with TorchSharp-cpu.");
    }

    /// <summary>
    /// TorchSharp asks for its program's own libtorch_cpu.so by path, and a second libtorch in one process ends it. So the
    /// chosen one answers to that path.
    /// </summary>
    private static void HideOwnLibtorch(string chosen)
    {
        var first = LibtorchFiles.HostFolders.Count > 0 ? LibtorchFiles.HostFolders[0] : "";
        var own = LibtorchFiles.Find(CpuLibraryName);
        if (own is null || first.Length == 0 || Path.GetDirectoryName(own) == chosen) return;
        DynamicLoader.Rename(DynamicLoader.FindLoaded(CpuLibraryName), Path.Combine(first, CpuLibraryName));
    }

    private static nint LoadTorchSharpLibrary(ILogger? logger)
    {
        var path = LibtorchFiles.Find(TorchSharpLibrary);
        if (path is not null) ElfHeader.Read(path);
        var library = DynamicLoader.Open(path ?? TorchSharpLibrary, out var error);
        if (library != 0) return library;
        if (path is null) throw Missing(TorchSharpLibrary, error);

        var image = File.ReadAllBytes(path);
        var cxx = DynamicLoader.Open("libstdc++.so.6", out _);
        var relieved = OlderCxxLibrary.Relieve(path, image, (symbol, version) => DynamicLoader.HasSymbol(cxx, symbol, version));
        if (relieved.Count == 0) throw Unusable(path, error);
        library = MemoryCopy.Load(TorchSharpLibrary, image, out error);
        if (library == 0) throw Unusable(path, error);
        logger?.LogInformation("{Path} asks for {Versions}, which this system's libstdc++ lacks and it can do without: "
            + "using a copy in memory that does not ask.", path, string.Join(" and ", relieved));
        return library;
    }

    private static void StartTorchSharp()
    {
        try
        {
            RuntimeHelpers.RunClassConstructor(typeof(torch).TypeHandle);
        }
        catch (TypeInitializationException e)
        {
            throw new BackendException($"TorchSharp {typeof(torch).Assembly.GetName().Version?.ToString(3)} could not start: "
                + $"{FirstLine(e.InnerException ?? e)} Reference the package TorchSharp-cpu of the same version.", e);
        }
    }

    private static string FirstLine(Exception e) => e.Message.AsSpan().Trim().ToString().Split('\n')[0];

    private static void RefuseChosenFolder()
    {
        var value = Environment.GetEnvironmentVariable(LibtorchFiles.FolderVariable);
        if (string.IsNullOrWhiteSpace(value)) return;
        throw new BackendException($"{LibtorchFiles.FolderVariable}={value}: only Linux can use another libtorch. Unset it.");
    }

    private static void RefuseOtherPlatforms()
    {
        var architecture = RuntimeInformation.ProcessArchitecture;
        if (architecture == Architecture.X64 && !RuntimeInformation.RuntimeIdentifier.Contains("musl", StringComparison.Ordinal)) return;
        throw new BackendException($"libtorch does not exist for {RuntimeInformation.RuntimeIdentifier} in a form that TorchSharp "
            + "can load. On Linux it needs an x64 processor and glibc (Debian, Ubuntu, Fedora, RHEL; not Alpine). Generating text "
            + "works here: it does not need libtorch.");
    }

    private static BackendException Missing(string name, string loaderWords) => new(
        $"libtorch is not there: no {name} in {string.Join(", ", LibtorchFiles.Folders.Select(Path.GetFullPath).Distinct())} ({loaderWords}). "
        + $"Add the package TorchSharp-cpu to the program, or set {LibtorchFiles.FolderVariable} to a folder with libtorch.");

    private static BackendException Unusable(string path, string loaderWords) => new(
        $"{path}: cannot be loaded: {loaderWords}. It needs libtorch of TorchSharp's own version, glibc 2.34 (Debian 12, Ubuntu 22.04, RHEL 9 or newer) and, beside it, "
        + "all files of its package: restore the packages again (dotnet restore --force).");
}
