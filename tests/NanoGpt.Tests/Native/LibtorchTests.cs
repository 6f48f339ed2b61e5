using NanoGpt.Native;
using TorchSharp;

namespace NanoGpt.Tests.Native;

public sealed class LibtorchTests
{
    [Fact]
    public void Torch_computes_after_EnsureLoaded()
    {
        Libtorch.EnsureLoaded();
        using var scope = torch.NewDisposeScope();
        var product = torch.arange(6, dtype: torch.float32).view(2, 3).mm(torch.ones(3, 1));
        Assert.Equal([3f, 12f], product.data<float>().ToArray());
    }

    [Fact]
    public void EnsureLoaded_from_many_threads_at_once_loads_once()
    {
        Parallel.For(0, 16, _ => Libtorch.EnsureLoaded());
        Assert.SkipUnless(OperatingSystem.IsLinux(), "reads /proc");
        Assert.Single(File.ReadLines("/proc/self/maps"), line =>
            line.Contains("libtorch_cpu.so", StringComparison.Ordinal) && line.Contains("r-xp", StringComparison.Ordinal));
    }
}
