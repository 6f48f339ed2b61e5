// The dotnet tool, packed for this platform and installed from the local feed as a user installs it.

using System.Runtime.InteropServices;

namespace NanoGpt.EndToEnd.Package;

[Collection(ThePackage.Name)]
public sealed class ToolTests(LocalFeed feed)
{
    private static readonly string[] Platforms = ["linux-x64", "win-x64", "osx-arm64"];

    [Fact]
    public async Task Installs_from_a_feed_and_runs_without_a_clone()
    {
        var platform = RuntimeInformation.RuntimeIdentifier;
        Assert.SkipUnless(Platforms.Contains(platform), $"The tool is packed for {string.Join(", ", Platforms)}; this is {platform}.");
        await Shell.Dotnet(Repository.Root, "pack", "src/NanoGpt.Samples", "-c", "Release", "-o", feed.Feed,
            $"-p:MinVerVersionOverride={feed.Version}", $"-p:ToolPackageRuntimeIdentifiers={platform}", "-p:RunAnalyzers=false");
        // the public gallery takes packages of up to 250 MB; half of this one is libtorch, compressed.
        Assert.InRange(new FileInfo(Path.Combine(feed.Feed, $"NanoGpt.Tool.{platform}.{feed.Version}.nupkg")).Length, 1, 200_000_000);

        var folder = feed.NewFolder("tool");
        await Shell.Dotnet(folder, "tool", "install", "NanoGpt.Tool", "--tool-path", folder, "--version", feed.Version, "--source", feed.Feed);
        var (exitCode, output) = await Shell.Run(folder, Path.Combine(folder, "nanogpt"), ["doctor"]);
        Assert.True(exitCode == 0, output);
        Assert.Contains(feed.Version, output, StringComparison.Ordinal);
        Assert.Matches(@"libtorch\s+2\.", output);
    }
}
