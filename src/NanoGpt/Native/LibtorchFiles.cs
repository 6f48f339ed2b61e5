// Where the native files are: beside the program, in its runtimes folder, in the package cache, or in the folder that
// NANOGPT_LIBTORCH names. Loads nothing.

using System.Runtime.InteropServices;
using TorchSharp;

namespace NanoGpt.Native;

/// <summary>Finds libtorch and TorchSharp's native library in the order in which .NET itself would look.</summary>
internal static class LibtorchFiles
{
    /// <summary>The environment variable that names a folder with another libtorch.</summary>
    public const string FolderVariable = "NANOGPT_LIBTORCH";

    /// <summary>libtorch's libraries, each after those it needs; libtorch.so brings in CUDA's where it is a CUDA build.</summary>
    public static IReadOnlyList<string> Libraries { get; } = ["libc10.so", "libtorch_cpu.so", "libtorch.so"];

    /// <summary>The folders that .NET was told to look into at the start: those of deps.json, or the bundle's.</summary>
    public static IReadOnlyList<string> HostFolders { get; } =
        ((AppContext.GetData("NATIVE_DLL_SEARCH_DIRECTORIES") as string) ?? "")
        .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);

    /// <summary>All folders to look into, the first ones first.</summary>
    public static IReadOnlyList<string> Folders { get; } = [.. HostFolders.Concat(OtherFolders()).Distinct()];

    /// <summary>The first file of this name, or null.</summary>
    public static string? Find(string fileName) => Folders.Select(f => Path.Combine(f, fileName)).FirstOrDefault(File.Exists);

    /// <summary>The folder that <see cref="FolderVariable"/> names, or null where it is not set.</summary>
    /// <exception cref="BackendException">There is no libtorch in it.</exception>
    public static string? ChosenFolder()
    {
        var value = Environment.GetEnvironmentVariable(FolderVariable);
        if (string.IsNullOrWhiteSpace(value)) return null;
        var folder = Path.GetFullPath(value.Trim());
        foreach (var candidate in new[] { folder, Path.Combine(folder, "lib") })
        {
            if (Libraries.All(name => File.Exists(Path.Combine(candidate, name)))) return candidate;
        }

        var missing = Libraries.First(name => !File.Exists(Path.Combine(folder, name)));
        throw new BackendException($"{FolderVariable}={value}: there is no {missing} in {folder}"
            + (Directory.Exists(folder) ? "" : " (no such folder)")
            + ". Set it to the folder with libtorch's libraries (for a Python install: site-packages/torch/lib), or unset it "
            + "to use the libtorch that comes with TorchSharp-cpu.");
    }

    private static IEnumerable<string> OtherFolders()
    {
        var rid = $"{(OperatingSystem.IsWindows() ? "win" : OperatingSystem.IsMacOS() ? "osx" : "linux")}-"
            + RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant();
        var native = Path.Combine("runtimes", rid, "native");
        yield return AppContext.BaseDirectory;
        yield return Path.Combine(AppContext.BaseDirectory, native);

        var managed = typeof(torch).Assembly.Location; // empty in a single-file program
        if (Path.GetDirectoryName(managed) is not { Length: > 0 } folder) yield break;
        yield return folder;
        yield return Path.Combine(folder, native);

        // Scripts and notebooks run TorchSharp.dll where the package cache has it: torchsharp/VERSION/lib/net8.0.
        yield return Path.Combine(folder, "..", "..", native);
        var cached = Path.Combine(folder, "..", "..", "..", "..", $"libtorch-cpu-{rid}");
        if (!Directory.Exists(cached)) yield break;
        foreach (var version in Directory.GetDirectories(cached)) yield return Path.Combine(version, native);
    }
}
