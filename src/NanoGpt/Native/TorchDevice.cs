// From the name of a device, as users type it, to torch's device, with a clear refusal where this machine has none.

using TorchSharp;
using static TorchSharp.torch;

namespace NanoGpt.Native;

/// <summary>Devices by the names that users type: <c>cpu</c>, <c>cuda</c>, <c>cuda:1</c>, <c>mps</c>.</summary>
internal static class TorchDevice
{
    /// <summary>The CPU's name.</summary>
    public const string Cpu = "cpu";

    /// <summary>Whether <paramref name="name"/> is the CPU. Does not load libtorch.</summary>
    public static bool IsCpu(string name) => name == Cpu;

    /// <summary>CUDA if this machine has it, else MPS, else the CPU. Loads libtorch.</summary>
    public static string Best()
    {
        Libtorch.EnsureLoaded();
        return cuda.is_available() ? "cuda" : mps_is_available() ? "mps" : Cpu;
    }

    /// <summary>The device of that name. Loads libtorch.</summary>
    /// <exception cref="ArgumentException">There is no device of that name anywhere.</exception>
    /// <exception cref="BackendException">libtorch cannot be loaded, or this machine has no such device.</exception>
    public static Device Open(string name)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        var (type, index) = name.Split(':') switch
        {
            [var only] => (only, 0),
            [var kind, var number] when int.TryParse(number, out var n) && n >= 0 => (kind, n),
            _ => throw Unknown(name),
        };

        Libtorch.EnsureLoaded();
        return type switch
        {
            "cpu" when index == 0 => CPU,
            "mps" when index == 0 => mps_is_available() ? new Device(DeviceType.MPS) : throw Missing(name, "macOS on Apple silicon"),
            "cuda" when !cuda.is_available() => throw Missing(
                name, "an NVIDIA GPU with its driver, and a libtorch with CUDA: add the TorchSharp-cuda package for your system, "
                + "or set NANOGPT_LIBTORCH to the lib folder of a PyTorch with CUDA"),
            "cuda" when index >= cuda.device_count() => throw Missing(name, $"more GPUs than the {cuda.device_count()} found here"),
            "cuda" => new Device(DeviceType.CUDA, index),
            _ => throw Unknown(name),
        };
    }

    private static BackendException Missing(string name, string needs) =>
        new($"Device '{name}' cannot be used on this machine: it needs {needs}. Use device 'cpu' meanwhile.");

    private static ArgumentException Unknown(string name) =>
        new($"Device is '{name}'; must be cpu, cuda, cuda:N or mps.", nameof(name));
}
