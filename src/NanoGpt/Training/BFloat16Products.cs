// Whether a device multiplies bfloat16 matrices faster than float32 ones. GPUs do; a CPU needs AVX-512 with bf16 or AMX, and
// without them libtorch is many times slower than in float32.

using System.Collections.Concurrent;
using System.Diagnostics;
using NanoGpt.Native;
using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace NanoGpt.Training;

/// <summary>Measures bfloat16 products against float32 ones, once for each device.</summary>
internal static class BFloat16Products
{
    private static readonly ConcurrentDictionary<string, double> Measured = new();

    /// <summary>How many times as long as in float32 a product takes, forward and backward; below 1 is faster.</summary>
    public static double Slowdown(Device device) =>
        device.type == DeviceType.CUDA ? 0.5 : Measured.GetOrAdd(device.ToString(), _ => Measure(device));

    private static double Measure(Device device)
    {
        const int size = 192; // 1 ms where bfloat16 is fast, 10 where it is not
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var (x, weight) = (ones(size, size, float32, device), ones(size, size, float32, device));
        var (x16, weight16) = (x.to(bfloat16), weight.to(bfloat16));
        var (time32, time16) = (double.MaxValue, double.MaxValue);
        for (var round = 0; round < 3; round++)
        {
            time32 = Math.Min(time32, Time(x, weight));
            time16 = Math.Min(time16, Time(x16, weight16));
        }

        return time16 / time32;
    }

    // The three products of a linear layer: its output, and the gradients of its input and weight.
    private static double Time(Tensor x, Tensor weight)
    {
        var start = Stopwatch.GetTimestamp();
        var y = F.linear(x, weight);
        _ = y.mm(weight).sum().Plus(y.t().mm(x).sum()).to(float32).item<float>(); // item waits for the device
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }
}
