// The package as it would be published, in a feed of its own: packed once for all tests that want it. Programs are made
// in folders beside it, outside the repository, so that nothing of the repository's build reaches them.

using System.Xml.Linq;

namespace NanoGpt.EndToEnd.Package;

[CollectionDefinition(Name)]
public sealed class ThePackage : ICollectionFixture<LocalFeed>
{
    public const string Name = "The package";
}

/// <summary>A folder with NanoGpt.nupkg and a nuget.config that knows it beside the sources of this machine.</summary>
public sealed class LocalFeed : IAsyncLifetime
{
    private readonly string _root = Directory.CreateTempSubdirectory("nanogpt-package-").FullName;

    /// <summary>A version that no cache can know.</summary>
    public string Version { get; } = $"0.1.0-test.{DateTime.UtcNow:yyyyMMddHHmmssfff}";

    public string Feed => Path.Combine(_root, "feed");

    public string Package => Path.Combine(Feed, $"NanoGpt.{Version}.nupkg");

    public string Symbols => Path.ChangeExtension(Package, ".snupkg");

    /// <summary>What it was packed from.</summary>
    internal SourceTree Sources { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Directory.CreateDirectory(Feed);
        WriteNugetConfig();
        Sources = await SourceTree.CommitAsync(NewFolder("sources"));
        await Sources.PackAsync("src/NanoGpt", Feed, Version);
    }

    /// <summary>A new folder for a program that uses the package.</summary>
    public string NewFolder(string name) => Directory.CreateDirectory(Path.Combine(_root, name)).FullName;

    public ValueTask DisposeAsync()
    {
        Directory.Delete(_root, recursive: true);
        return ValueTask.CompletedTask;
    }

    // Packages of this run go to a folder of this run. What the machine's own cache has (libtorch) is read there in place.
    private void WriteNugetConfig()
    {
        var cache = Environment.GetEnvironmentVariable("NUGET_PACKAGES")
            ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
        new XElement("configuration",
            new XElement("packageSources", Add("nanogpt-local", Feed)),
            new XElement("fallbackPackageFolders", Directory.Exists(cache) ? Add("machine", cache) : null),
            new XElement("config", Add("globalPackagesFolder", Path.Combine(_root, "packages")))).Save(Path.Combine(_root, "nuget.config"));
    }

    private static XElement Add(string key, string value) => new("add", new XAttribute("key", key), new XAttribute("value", value));
}
