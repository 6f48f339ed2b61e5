// A program that uses NanoGpt may call TorchSharp itself before anything of ours. Needs a process of its own, in which
// nothing has loaded libtorch yet.

using System.Diagnostics;
using System.Runtime.CompilerServices;
using TorchSharp;

namespace NanoGpt.EndToEnd;

public sealed class TorchSharpFirstTests
{
    [Fact]
    public void TorchSharp_works_when_the_program_calls_it_first()
    {
        var start = new ProcessStartInfo("dotnet",
            [Path.Combine(AppContext.BaseDirectory, "NanoGpt.EndToEnd.dll"), "-explicit", "only", "-method", $"*.{nameof(TorchSharpFirstTests)}.{nameof(In_a_new_process)}"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0 && output.Contains("Total: 1", StringComparison.Ordinal), output);
        Assert.False(Directory.Exists(Path.Combine(AppContext.BaseDirectory, "cpu")), "TorchSharp made a copy of libtorch.");
    }

    [Fact(Explicit = true)]
    public void In_a_new_process()
    {
        RuntimeHelpers.RunModuleConstructor(typeof(GPTConfig).Module.ModuleHandle); // any use of NanoGpt
        using var ones = torch.ones(2);
        using var sum = ones.sum();
        Assert.Equal(2, sum.ToSingle());
    }
}
