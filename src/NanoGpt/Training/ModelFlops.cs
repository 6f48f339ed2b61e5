// Model FLOPs utilisation: how much arithmetic the model asks for, against what the machine can do. The count is nanoGPT's
// estimate_mfu, after the PaLM paper, appendix B. The machine's peak is measured: a published figure would say
// nothing of the clock and the libraries at hand.

using System.Collections.Concurrent;
using System.Diagnostics;
using static TorchSharp.torch;

namespace NanoGpt.Training;

/// <summary>Counts a model's arithmetic and measures the machine's.</summary>
internal static class ModelFlops
{
    private static readonly ConcurrentDictionary<(string Device, ScalarType Type), double> Peaks = new();

    /// <summary>Floating point operations of one forward and backward pass for one token in a sequence of <paramref name="blockSize"/>.</summary>
    public static double PerToken(GPTConfig config, int blockSize) =>
        6.0 * config.CountParameters(includePositions: false)
        + 12.0 * config.NLayer * config.NHead * config.HeadSize * blockSize;

    /// <summary>The part of the machine's arithmetic that training at that speed uses, from 0 to 1.</summary>
    /// <param name="config">The model.</param>
    /// <param name="blockSize">Tokens in a sequence.</param>
    /// <param name="tokensPerSecond">The speed.</param>
    /// <param name="device">Where.</param>
    /// <param name="type">The type of the matrix products.</param>
    public static double Utilisation(GPTConfig config, int blockSize, double tokensPerSecond, Device device, ScalarType type)
    {
        var flops = PerToken(config, blockSize) * tokensPerSecond;
        var key = (device.ToString(), type);
        var peak = Peaks.GetOrAdd(key, _ => Measure(device, type));

        // Others were using the machine when its peak was measured: it is at least what training has just reached.
        if (flops > peak) peak = Peaks.AddOrUpdate(key, flops, (_, known) => Math.Max(known, Math.Max(flops, Measure(device, type))));
        return flops / peak;
    }

    // Multiplies square matrices for a moment and counts: the best that training could reach here. In FLOPs a second.
    private static double Measure(Device device, ScalarType type)
    {
        const int rounds = 10;
        var n = device.type == TorchSharp.DeviceType.CPU ? 1024 : 4096; // large enough to fill it
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        Tensor a = ones(n, n, type, device), b = ones(n, n, type, device);
        var best = TimeSpan.MaxValue;
        for (var i = 0; i < rounds; i++)
        {
            var start = Stopwatch.GetTimestamp();
            using var c = mm(a, b);
            c[0, 0].to(float32).item<float>(); // waits for the device
            var time = Stopwatch.GetElapsedTime(start);
            if (time < best) best = time;
        }

        return 2.0 * n * n * n / best.TotalSeconds;
    }
}
