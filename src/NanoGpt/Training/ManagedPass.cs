// Loss and gradients computed by ourselves, for float32 on the CPU: no graph, no allocation, and the same matrix products.
// The arithmetic is in Backpropagation/; here are the tensors it works on.

using System.Diagnostics;
using System.Runtime.Intrinsics.X86;
using NanoGpt.Backpropagation;
using NanoGpt.Native;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace NanoGpt.Training;

/// <summary>Computes a network's gradients in plain C# and puts them where autograd would.</summary>
internal sealed unsafe class ManagedPass : IGradientPass
{
    private readonly (Parameter Parameter, Tensor Gradient)[] _parameters;
    private readonly NetworkWeights _weights;
    private readonly NetworkPass _pass;

    /// <param name="network">What is trained: <see cref="Fits(GPTModel)"/>.</param>
    /// <param name="options">With their nulls filled in.</param>
    public ManagedPass(GPTModel network, TrainerOptions options)
    {
        using var scope = NewDisposeScope();
        var found = network.named_parameters().Select(p => (p.name, p.parameter, Gradient: empty_like(p.parameter, requires_grad: false))).ToList();
        var memory = found.ToDictionary(p => p.name, p => new Weight(TensorMemory.Of(p.parameter), TensorMemory.Of(p.Gradient)));
        _weights = new NetworkWeights(network.Config, name => memory.GetValueOrDefault(name));
        _pass = new NetworkPass(network.Config, options.BatchSize, options.BlockSize!.Value, options.GradientCheckpointing, threads: get_num_threads());
        _parameters = [.. found.Select(p => (p.parameter, p.Gradient.DetachFromDisposeScope()))]; // last: nothing is left of a pass that had no room
    }

    /// <summary>Whether a run can be computed so: on the CPU, nothing dropped.</summary>
    public static bool Fits(GPTConfig config, TrainerOptions options) =>
        options is { Speed.ManagedPass: true, Device: null or TorchDevice.Cpu }
        && config is { EmbeddingDropout: 0, AttentionDropout: 0, ResidualDropout: 0 };

    /// <summary>Whether a network can be computed so: in float32 on the CPU, all of it trained.</summary>
    public static bool Fits(GPTModel network) =>
        network.ProductType is null
        && network.parameters().All(p => p is { dtype: ScalarType.Float32, device_type: DeviceType.CPU, requires_grad: true } && p.is_contiguous() && p.numel() <= TensorMemory.MaxElements);

    /// <summary>Whether libtorch's products, as they are set up now, are so fast that nothing is gained.</summary>
    /// <param name="rows">Tokens in a micro batch.</param>
    /// <param name="width">n_embd.</param>
    public static bool IsSlower(long rows, long width)
    {
        // With AVX2 and no more, all have the same vectors and come equally near to what these can do. Not measured, so that one
        // machine computes the same bits today and tomorrow.
        if (Avx2.IsSupported && !Avx512F.IsSupported) return false;

        // What is saved beside the products makes up for a product that takes this much longer.
        const double tolerable = 1.5;
        const int rounds = 10;
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var generator = new torch.Generator(1); // the caller's random state stays as it is
        var x = randn(Math.Min(rows, 512), width, generator: generator);
        var weight = randn(Math.Min(4 * width, 4096), width, generator: generator);
        var y = empty(x.size(0), weight.size(0));
        using var bench = new Workbench(GradientKernels.Best, get_num_threads());
        var layer = new LinearPass(bench, (int)width, (int)weight.size(0));
        var (ours, torchs) = (double.MaxValue, double.MaxValue);
        for (var i = 0; i < rounds; i++)
        {
            ours = Math.Min(ours, Seconds(() => layer.Forward((int)x.size(0), TensorMemory.Of(x), new LayerWeights(new Weight(TensorMemory.Of(weight), null), default), TensorMemory.Of(y))));
            torchs = Math.Min(torchs, Seconds(() => F.linear(x, weight).Dispose()));
        }

        return ours > tolerable * torchs;
    }

    public double Loss(long[] x, long[] y) => _pass.Loss(_weights, x, y);

    public double AddGradients(long[] x, long[] y, double share, double lossScale, long seed)
    {
        var adds = HasGradients();
        if (!adds)
            foreach (var (parameter, gradient) in _parameters) parameter.grad = gradient;
        return _pass.LossAndGradients(_weights, x, y, share * lossScale, adds) * share;
    }

    public void Dispose()
    {
        foreach (var (_, gradient) in _parameters) gradient.Dispose();
        _pass.Dispose();
    }

    private bool HasGradients()
    {
        using var gradient = _parameters[0].Parameter.grad;
        return gradient is not null;
    }

    private static double Seconds(Action work)
    {
        var start = Stopwatch.GetTimestamp();
        work();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }
}
