// Where the sources of this test run lie: the package and the docs are made from them.

namespace NanoGpt.EndToEnd.Package;

internal static class Repository
{
    /// <summary>The folder of NanoGpt.sln.</summary>
    public static string Root { get; } = FindRoot();

    public static string File(params string[] parts) => Path.Combine([Root, .. parts]);

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (System.IO.File.Exists(Path.Combine(folder.FullName, "NanoGpt.sln"))) return folder.FullName;
        }

        throw new DirectoryNotFoundException($"No NanoGpt.sln above {AppContext.BaseDirectory}: these tests run inside a checkout.");
    }
}
