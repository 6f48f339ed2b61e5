// A stranger's program (tests/NanoGpt.Consumer) with nothing but the package: built, published and run as they would. The
// Hub is not asked: its cache holds a small model under gpt2's name, and where the code is about the Hub, the loopback one answers. For training that is the bundled one, which has 65
// characters; for the rest one with GPT-2's own 50257 tokens and random weights.

using System.Runtime.InteropServices;
using NanoGpt.EndToEnd.Hub;

namespace NanoGpt.EndToEnd.Package;

[Collection(ThePackage.Name)]
public sealed class ConsumerTests(LocalFeed feed)
{
    private static readonly string Platform = RuntimeInformation.RuntimeIdentifier;
    private static readonly string RandomModel = Repository.File("tests", "NanoGpt.Tests", "Vectors", "tiny-gpt2", "vocab50257");
    private static readonly string BundledModel = Repository.File("src", "NanoGpt.Samples", "BundledModel");

    [Fact]
    public async Task All_code_of_the_docs_runs_on_net10()
    {
        var folder = NewProgram("consumer-net10");
        await Shell.Dotnet(folder, "build", "-c", "Release", "-r", Platform, "--no-self-contained", "-p:TargetFrameworks=net10.0", Version);
        var program = Path.Combine(folder, "bin", "Release", "net10.0", Platform);
        await Run(folder, program, RandomModel, "runtime", "using");
        await Run(folder, program, BundledModel, "training");

        await using var hub = await LoopbackHub.StartAsync();
        foreach (var file in Directory.GetFiles(RandomModel)) hub.Repository("openai-community/gpt2").Add(Path.GetFileName(file), File.ReadAllBytes(file));
        await RunWith(new() { ["HF_ENDPOINT"] = hub.Address.AbsoluteUri, ["HF_TOKEN"] = LoopbackHub.Token }, folder, program, "hub");
        Assert.Contains("model.safetensors", hub.Repository("me/bard").Files(hub.Repository("me/bard").Head).Keys);
    }

    [Fact]
    public async Task Readme_runs_on_the_net8_runtime_published_with_it()
    {
        var folder = NewProgram("consumer-net8");
        await Publish(folder, "-f", "net8.0", "-p:TargetFrameworks=net8.0");
        var output = await Run(folder, Path.Combine(folder, "published"), BundledModel, "runtime", "readme");
        Assert.Contains(".NET 8.", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Readme_runs_from_a_single_file()
    {
        var folder = NewProgram("consumer-single-file");
        await Publish(folder, "-f", "net10.0", "-p:TargetFrameworks=net10.0", "-p:PublishSingleFile=true");
        Assert.Empty(Directory.GetFiles(Path.Combine(folder, "published"), "NanoGpt*.dll"));
        await Run(folder, Path.Combine(folder, "published"), BundledModel, "readme");
    }

    private string Version => $"-p:NanoGptVersion={feed.Version}";

    private static string ProgramFile => OperatingSystem.IsWindows() ? "NanoGpt.Consumer.exe" : "NanoGpt.Consumer";

    private async Task Publish(string folder, params string[] properties)
    {
        string[] arguments = ["publish", "-c", "Release", "-r", Platform, "--self-contained", "-o", Path.Combine(folder, "published"), Version,
            "--nologo", "-nodeReuse:false", "-p:UseSharedCompilation=false", .. properties];
        var (exitCode, output) = await Shell.Run(folder, "dotnet", arguments);
        Assert.SkipWhen(exitCode != 0 && output.Contains("NU110", StringComparison.Ordinal) && output.Contains(".App.Runtime.", StringComparison.Ordinal),
            "No package source here has the runtime that a self-contained program takes along.");
        Assert.True(exitCode == 0, output);
    }

    private static Task<string> Run(string folder, string programFolder, string model, params string[] groups)
    {
        var home = Path.Combine(folder, Path.GetFileName(model));
        FillCache(home, model);
        return RunWith(new() { ["HF_HOME"] = home, ["HF_HUB_OFFLINE"] = "1" }, folder, programFolder, groups);
    }

    private static async Task<string> RunWith(Dictionary<string, string> environment, string folder, string programFolder, params string[] groups)
    {
        environment["OMP_NUM_THREADS"] = "1"; // on a busy machine libtorch's threads wait seconds for each other at every step
        var (exitCode, output) = await Shell.Run(folder, Path.Combine(programFolder, ProgramFile), groups, environment);
        Assert.True(exitCode == 0 && output.Contains("== done", StringComparison.Ordinal), output);
        return output;
    }

    private string NewProgram(string name)
    {
        var folder = feed.NewFolder(name);
        foreach (var file in Directory.GetFiles(Repository.File("tests", "NanoGpt.Consumer")))
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        File.Copy(Repository.File("src", "NanoGpt.Samples", "Texts", "saltmarrow.txt"), Path.Combine(folder, "input.txt"));
        return folder;
    }

    /// <summary>The cache as a download of gpt2 leaves it.</summary>
    private static void FillCache(string home, string source)
    {
        const string commit = "607a30d783dfa663caf39e06633721c8d4cfcd7e"; // 40 hex digits, as a commit of the Hub has
        var model = Path.Combine(home, "hub", "models--openai-community--gpt2");
        var snapshot = Directory.CreateDirectory(Path.Combine(model, "snapshots", commit)).FullName;
        foreach (var file in Directory.GetFiles(source)) File.Copy(file, Path.Combine(snapshot, Path.GetFileName(file)));
        Directory.CreateDirectory(Path.Combine(model, "refs"));
        File.WriteAllText(Path.Combine(model, "refs", "main"), commit);
    }
}
