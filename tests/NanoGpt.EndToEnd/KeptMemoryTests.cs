// GlibcHeap works on a program's first thread, where a test runner has no test: so in a program of its own.

using System.Diagnostics;
using System.Globalization;
using NanoGpt.Native;
using NanoGpt.Training;
using TorchSharp;

namespace NanoGpt.EndToEnd;

public sealed class KeptMemoryTests
{
    private const int TensorBytes = 64 << 20, Tensors = 10, Page = 4096;

    [Fact]
    public void Kept_memory_is_not_faulted_in_again_and_is_given_back_at_the_end()
    {
        Assert.SkipUnless(GlibcHeap.IsUsed, "glibc");
        const long all = (long)Tensors * TensorBytes / Page;
        using var process = Process.Start(new ProcessStartInfo("dotnet", [typeof(KeptMemoryTests).Assembly.Location, "child", "kept-memory"])
        {
            RedirectStandardOutput = true,
        })!;
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        var (faults, keptFaults, resident, residentAfter) = output.Split(' ').Select(long.Parse).ToArray() switch
        {
            [var a, var b, var c, var d] => (a, b, c, d),
            _ => throw new InvalidOperationException(output),
        };

        Assert.SkipUnless(faults > 0.9 * all, "the system uses huge pages: nothing to save");
        Assert.True(keptFaults < 0.1 * all, $"{keptFaults} page faults although memory was to be kept");
        Assert.True(residentAfter < resident + TensorBytes / 2, $"{resident} bytes before, {residentAfter} after: not given back");
    }

    /// <summary>Prints the page faults of ten large tensors before and while memory is kept by two users, and its size before and after.</summary>
    internal static int OnTheFirstThread()
    {
        Libtorch.EnsureLoaded();
        var (faults, resident) = (Faults(), Environment.WorkingSet);
        long kept;
        using (GlibcHeap.Keep())
        using (GlibcHeap.Keep())
        {
            _ = Faults(); // the first ones come from the system
            kept = Faults();
        }

        Console.Write($"{faults} {kept} {resident} {Environment.WorkingSet}");
        return 0;
    }

    private static long Faults()
    {
        var before = Count();
        for (var i = 0; i < Tensors; i++) torch.zeros(TensorBytes / sizeof(float)).Dispose();
        return Count() - before;

        static long Count() => long.Parse(File.ReadAllText("/proc/self/stat").Split(") ")[1].Split(' ')[7], CultureInfo.InvariantCulture);
    }
}
