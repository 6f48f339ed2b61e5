// Where the reference data of the tests lies: Vectors/ beside the test program, and, where a checkout has it, the shared
// folder next to the repository. Reads nothing itself.

namespace NanoGpt.Tests;

internal static class Vectors
{
    /// <summary>A file or folder under Vectors/, e.g. <c>Vectors.Path("tiny-gpt2", "untied")</c>.</summary>
    public static string Path(params string[] parts)
    {
        var path = System.IO.Path.Combine([AppContext.BaseDirectory, "Vectors", .. parts]);
        return System.IO.Path.Exists(path) ? path : throw new FileNotFoundException($"No reference data at {path}.");
    }

    /// <summary>A file or folder of the shared folder beside the repository, or null where this checkout has none.</summary>
    public static string? Shared(params string[] parts)
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (!File.Exists(System.IO.Path.Combine(folder.FullName, "NanoGpt.sln"))) continue;
            var path = System.IO.Path.Combine([folder.FullName, "..", "shared", .. parts]);
            return System.IO.Path.Exists(path) ? System.IO.Path.GetFullPath(path) : null;
        }

        return null;
    }
}
