// How the loss of a batch and its gradients are computed: through autograd (AutogradPass.cs) or by ourselves (ManagedPass.cs).

namespace NanoGpt.Training;

/// <summary>One way to compute a network's loss and gradients. Not thread safe.</summary>
internal interface IGradientPass : IDisposable
{
    /// <summary>The loss of a batch, without dropout or gradients.</summary>
    /// <param name="x">(B, T) ids, row by row.</param>
    /// <param name="y">(B, T) ids that should follow; -1 is not counted.</param>
    double Loss(long[] x, long[] y);

    /// <summary>The loss of a micro batch, whose gradients are added to those of the parameters.</summary>
    /// <param name="x">(B, T) ids, row by row.</param>
    /// <param name="y">(B, T) ids that should follow; -1 is not counted.</param>
    /// <param name="share">What loss and gradients are multiplied by: 1 over the number of micro batches.</param>
    /// <param name="lossScale">What the gradients are multiplied by besides, so that float16 can hold them.</param>
    /// <param name="seed">Decides what dropout drops.</param>
    /// <returns>The mean loss times <paramref name="share"/>.</returns>
    double AddGradients(long[] x, long[] y, double share, double lossScale, long seed);
}
