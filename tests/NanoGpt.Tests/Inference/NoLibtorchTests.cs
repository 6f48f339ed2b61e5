using System.Diagnostics;
using Microsoft.Extensions.AI;

namespace NanoGpt.Tests.Inference;

/// <summary>Generating on a CPU is managed code alone.</summary>
public sealed class NoLibtorchTests
{
    private const string ChildMark = "NANOGPT_TEST_CHILD";

    [Fact]
    public async Task Generating_on_a_cpu_never_loads_libtorch()
    {
        if (Environment.GetEnvironmentVariable(ChildMark) is null)
        {
            RunInFreshProcess();
            return;
        }

        using var gpt = GPT.FromPretrained(Vectors.Path("tiny-gpt2", "vocab50257"));
        var text = gpt.Generate("Hello", new() { MaxNewTokens = 20, Temperature = 0, StopAtEndOfText = false });
        Assert.NotEmpty(text);
        Assert.NotEmpty((await gpt.AsChatClient().GetResponseAsync("Hello")).Text);
        Assert.NotEmpty(await gpt.AsEmbeddingGenerator().GenerateAsync(["Hello"]));

        var torch = Process.GetCurrentProcess().Modules.Cast<ProcessModule>().Select(module => module.ModuleName)
            .Where(name => name.Contains("torch", StringComparison.OrdinalIgnoreCase) || name.StartsWith("libc10", StringComparison.OrdinalIgnoreCase))
            .Where(name => !name.EndsWith("TorchSharp.dll", StringComparison.OrdinalIgnoreCase)); // managed
        Assert.Empty(torch);
    }

    /// <summary>This process has run other tests, which load libtorch: the test runs again alone.</summary>
    private static void RunInFreshProcess()
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true };
        start.ArgumentList.Add(typeof(NoLibtorchTests).Assembly.Location);
        start.ArgumentList.Add("-method");
        start.ArgumentList.Add($"{typeof(NoLibtorchTests).FullName}.{nameof(Generating_on_a_cpu_never_loads_libtorch)}");
        start.Environment[ChildMark] = "1";
        using var child = Process.Start(start)!;
        var error = child.StandardError.ReadToEndAsync();
        var output = child.StandardOutput.ReadToEnd();
        child.WaitForExit();
        Assert.True(child.ExitCode == 0 && output.Contains("Total: 1", StringComparison.Ordinal), output + error.Result);
    }
}
