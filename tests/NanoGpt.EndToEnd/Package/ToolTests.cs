// The dotnet tool, packed for this platform and installed from the local feed as a user installs it; then README's commands.

using System.Runtime.InteropServices;
using NanoGpt.EndToEnd.Docs;

namespace NanoGpt.EndToEnd.Package;

[Collection(ThePackage.Name)]
public sealed class ToolTests(LocalFeed feed)
{
    private static readonly string[] Platforms = ["linux-x64", "win-x64", "osx-arm64"];

    /// <summary>What is added to README's commands so that they need no network and less time.</summary>
    private static readonly Dictionary<string, string[]> Shortened = new()
    {
        ["quickstart"] = ["--max_iters=12"],
        ["prepare"] = ["--input=input.txt"],
        ["train"] = ["--max_iters=12", "--eval_iters=2"],
        ["sample"] = ["--num_samples=2", "--max_new_tokens=50"],
    };

    [Fact]
    public async Task Installs_from_a_feed_and_runs_README_without_a_clone()
    {
        var platform = RuntimeInformation.RuntimeIdentifier;
        Assert.SkipUnless(Platforms.Contains(platform), $"The tool is packed for {string.Join(", ", Platforms)}; this is {platform}.");
        await feed.Sources.PackAsync("src/NanoGpt.Samples", feed.Feed, feed.Version, $"-p:ToolPackageRuntimeIdentifiers={platform}");
        // the public gallery takes packages of up to 250 MB; half of this one is libtorch, compressed.
        Assert.InRange(new FileInfo(Path.Combine(feed.Feed, $"NanoGpt.Tool.{platform}.{feed.Version}.nupkg")).Length, 1, 200_000_000);

        var folder = feed.NewFolder("tool");
        await Shell.Dotnet(folder, "tool", "install", "NanoGpt.Tool", "--tool-path", folder, "--version", feed.Version, "--source", feed.Feed);
        var report = await RunAsync(folder, ["doctor"]);
        Assert.Contains(feed.Version, report, StringComparison.Ordinal);
        Assert.Matches(@"libtorch\s+2\.", report);

        File.Copy(Repository.File("src", "NanoGpt.Samples", "Texts", "saltmarrow.txt"), Path.Combine(folder, "input.txt"));
        var commands = CommandLine.In(MarkdownPage.Readme).Select(line => line.Arguments).ToList();
        Assert.Equal(["quickstart", "prepare", "train", "sample"], commands.Select(arguments => arguments[0]));
        foreach (var arguments in commands) await RunAsync(folder, [.. arguments, .. Shortened[arguments[0]]]);
        Assert.True(File.Exists(Path.Combine(folder, "out", "report.html")));
    }

    private static async Task<string> RunAsync(string folder, string[] arguments)
    {
        var environment = new Dictionary<string, string> { ["OMP_NUM_THREADS"] = "1" }; // as in ConsumerTests
        var (exitCode, output) = await Shell.Run(folder, Path.Combine(folder, "nanogpt"), arguments, environment);
        Assert.True(exitCode == 0, $"nanogpt {string.Join(' ', arguments)}\n{output}");
        return output;
    }
}
