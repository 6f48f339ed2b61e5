// How much memory a device has. TorchSharp doesn't say for GPUs, so NVIDIA's driver is asked itself: it is there wherever CUDA
// runs, and its interface is C and stable.

using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace NanoGpt.Native;

/// <summary>Bytes of memory that tensors of a device can take at most.</summary>
internal static unsafe class DeviceMemory
{
    private static readonly string[] DriverNames = OperatingSystem.IsWindows() ? ["nvcuda.dll"] : ["libcuda.so.1"];

    /// <summary>The memory of a device; null where it cannot be learned.</summary>
    public static long? Of(Device device) => device.type switch
    {
        DeviceType.CUDA => OfGpu(Math.Max(device.index, 0), DriverNames),
        DeviceType.CPU or DeviceType.MPS => GC.GetGCMemoryInfo().TotalAvailableMemoryBytes, // Apple's GPUs use the machine's
        _ => null,
    };

    /// <summary>The memory of a GPU by its number among those that CUDA shows to this process; null without a driver or such a GPU.</summary>
    public static long? OfGpu(int index, params IEnumerable<string> driverNames)
    {
        foreach (var name in driverNames)
        {
            if (!NativeLibrary.TryLoad(name, out var driver)) continue;
            if (!NativeLibrary.TryGetExport(driver, "cuInit", out var init)
                || !NativeLibrary.TryGetExport(driver, "cuDeviceGet", out var get)
                || !NativeLibrary.TryGetExport(driver, "cuDeviceTotalMem_v2", out var total)) continue;

            // CUresult f(...): 0 is success. CUDA driver API, initialization and device management.
            int gpu;
            nuint bytes;
            if (((delegate* unmanaged<uint, int>)init)(0) == 0
                && ((delegate* unmanaged<int*, int, int>)get)(&gpu, index) == 0
                && ((delegate* unmanaged<nuint*, int, int>)total)(&bytes, gpu) == 0) return (long)bytes;
        }

        return null;
    }
}
