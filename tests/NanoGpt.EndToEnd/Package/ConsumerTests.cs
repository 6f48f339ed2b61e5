// A stranger's program (tests/NanoGpt.Consumer) with nothing but the package: built, published and run as they would. The
// Hub is not asked: a small model of random weights lies in the cache under gpt2's name.

using System.Runtime.InteropServices;

namespace NanoGpt.EndToEnd.Package;

[Collection(ThePackage.Name)]
public sealed class ConsumerTests(LocalFeed feed)
{
    private static readonly string Platform = RuntimeInformation.RuntimeIdentifier;

    [Fact]
    public async Task All_code_of_the_docs_runs_on_net10()
    {
        var folder = NewProgram("consumer-net10");
        await Shell.Dotnet(folder, "build", "-c", "Release", "-r", Platform, "--no-self-contained", "-p:TargetFrameworks=net10.0", Version);
        await Run(folder, Path.Combine(folder, "bin", "Release", "net10.0", Platform));
    }

    [Fact]
    public async Task Readme_runs_on_the_net8_runtime_published_with_it()
    {
        var folder = NewProgram("consumer-net8");
        await Publish(folder, "-p:TargetFrameworks=net8.0");
        var output = await Run(folder, Path.Combine(folder, "published"), "runtime", "four lines", "fine-tune", "chat");
        Assert.Contains(".NET 8.", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Readme_runs_from_a_single_file()
    {
        var folder = NewProgram("consumer-single-file");
        await Publish(folder, "-p:TargetFrameworks=net10.0", "-p:PublishSingleFile=true");
        Assert.Empty(Directory.GetFiles(Path.Combine(folder, "published"), "NanoGpt*.dll"));
        await Run(folder, Path.Combine(folder, "published"), "four lines", "fine-tune", "chat");
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

    private static async Task<string> Run(string folder, string programFolder, params string[] examples)
    {
        var environment = new Dictionary<string, string> { ["HF_HOME"] = Path.Combine(folder, "hf"), ["HF_HUB_OFFLINE"] = "1" };
        var (exitCode, output) = await Shell.Run(folder, Path.Combine(programFolder, ProgramFile), examples, environment);
        Assert.True(exitCode == 0 && output.Contains("== done", StringComparison.Ordinal), output);
        return output;
    }

    private string NewProgram(string name)
    {
        var folder = feed.NewFolder(name);
        foreach (var file in Directory.GetFiles(Repository.File("tests", "NanoGpt.Consumer")))
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        File.Copy(Repository.File("src", "NanoGpt.Samples", "Texts", "saltmarrow.txt"), Path.Combine(folder, "input.txt"));

        const string commit = "607a30d783dfa663caf39e06633721c8d4cfcd7e"; // 40 hex digits, as a commit of the Hub has
        var model = Path.Combine(folder, "hf", "hub", "models--openai-community--gpt2");
        var snapshot = Directory.CreateDirectory(Path.Combine(model, "snapshots", commit)).FullName;
        foreach (var file in Directory.GetFiles(Repository.File("tests", "NanoGpt.Tests", "Vectors", "tiny-gpt2", "vocab50257")))
            File.Copy(file, Path.Combine(snapshot, Path.GetFileName(file)));
        Directory.CreateDirectory(Path.Combine(model, "refs"));
        File.WriteAllText(Path.Combine(model, "refs", "main"), commit);
        return folder;
    }
}
