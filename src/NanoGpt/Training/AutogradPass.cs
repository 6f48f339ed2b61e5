// Loss and gradients as libtorch's autograd computes them: any device, any type, and the slow path that proves ManagedPass.cs.

using NanoGpt.Native;
using static TorchSharp.torch;

namespace NanoGpt.Training;

/// <summary>Runs the network forward, and the graph that comes of it backward.</summary>
/// <param name="network">What is trained.</param>
/// <param name="options">With their nulls filled in.</param>
/// <param name="device">Where the network is.</param>
internal sealed class AutogradPass(GPTModel network, TrainerOptions options, Device device) : IGradientPass
{
    public double Loss(long[] x, long[] y)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        network.eval();
        try
        {
            return Forward(x, y, needsWholeLogits: false).item<float>();
        }
        finally
        {
            network.train();
        }
    }

    public double AddGradients(long[] x, long[] y, double share, double lossScale, long seed)
    {
        using var scope = NewDisposeScope();
        _ = random.manual_seed(seed);
        var loss = Forward(x, y, needsWholeLogits: lossScale != 1).Times(share);
        (lossScale != 1 ? loss.Times(lossScale) : loss).backward();
        return loss.item<float>();
    }

    public void Dispose()
    {
        // The network is its owner's, and all else lives for a call.
    }

    private Tensor Forward(long[] x, long[] y, bool needsWholeLogits)
    {
        long[] shape = [options.BatchSize, options.BlockSize!.Value];
        Tensor ids = tensor(x, shape, device: device), targets = tensor(y, shape, device: device); // (B, T), (B, T)
        return options.Speed.ChunkedLoss && !needsWholeLogits ? network.Loss(ids, targets) : network.forward(ids, targets).Loss!;
    }
}
