using System.ComponentModel;
using System.Diagnostics;
using NanoGpt.Native;
using static TorchSharp.torch;

namespace NanoGpt.Tests.Native;

[Collection(nameof(TorchProcess))]
public sealed class DeviceMemoryTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_processor_has_the_memory_of_the_machine()
    {
        Libtorch.EnsureLoaded();
        Assert.InRange(DeviceMemory.Of(CPU)!.Value, 1L << 28, 1L << 45);
    }

    [Fact]
    public void Without_a_driver_nothing_is_known() => Assert.Null(DeviceMemory.OfGpu(0, "libno-such-driver.so.1", "libc.so.6"));

    [Fact]
    public void The_driver_is_asked_for_the_memory_of_that_GPU()
    {
        var driver = FakeDriver();

        Assert.Equal(80L << 30, DeviceMemory.OfGpu(0, "libno-such-driver.so.1", driver));
        Assert.Equal(24L << 30, DeviceMemory.OfGpu(1, driver));
        Assert.Null(DeviceMemory.OfGpu(2, driver));
    }

    /// <summary>A library with the three functions as cuda.h declares them, for a machine of two GPUs.</summary>
    private string FakeDriver()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "the stand-in for a driver is built for Linux");
        File.WriteAllText(_folder.File("driver.c"), """
            #include <stddef.h>
            static int ready;
            int cuInit(unsigned flags) { ready = flags == 0; return ready ? 0 : 1; }
            int cuDeviceGet(int* device, int ordinal) { if (!ready || ordinal > 1) return 101; *device = 7 + ordinal; return 0; }
            int cuDeviceTotalMem_v2(size_t* bytes, int device) { *bytes = (size_t)(device == 7 ? 80 : 24) << 30; return 0; }
            """);
        var library = _folder.File("libdriver.so");
        try
        {
            using var compiler = Process.Start("cc", ["-shared", "-fPIC", "-o", library, _folder.File("driver.c")]);
            compiler.WaitForExit();
            Assert.Equal(0, compiler.ExitCode);
            return library;
        }
        catch (Win32Exception)
        {
            Assert.Skip("there is no C compiler to build a stand-in for a driver");
            throw;
        }
    }
}
