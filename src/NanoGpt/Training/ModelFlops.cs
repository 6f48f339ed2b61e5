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
    private static readonly ConcurrentDictionary<string, double> Peaks = new();

    /// <summary>Floating point operations of one forward and backward pass for one token in a sequence of <paramref name="blockSize"/>.</summary>
    public static double PerToken(GPTConfig config, int blockSize) =>
        6.0 * config.CountParameters(includePositions: false)
        + 12.0 * config.NLayer * config.NHead * config.HeadSize * blockSize;

    /// <summary>The machine's peak in float32 matrix products, in FLOPs a second; measured once for each device.</summary>
    public static double Peak(Device device) => Peaks.GetOrAdd(device.ToString(), _ => Measure(device));

    // Multiplies square matrices for a moment and counts: the best that training could reach here.
    private static double Measure(Device device)
    {
        const int n = 1024;
        const int rounds = 5;
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        Tensor a = ones(n, n, device: device), b = ones(n, n, device: device);
        var best = TimeSpan.MaxValue;
        for (var i = 0; i < rounds; i++)
        {
            var start = Stopwatch.GetTimestamp();
            using var c = mm(a, b);
            c[0, 0].item<float>(); // waits for the device
            var time = Stopwatch.GetElapsedTime(start);
            if (time < best) best = time;
        }

        return 2.0 * n * n * n / best.TotalSeconds;
    }
}
