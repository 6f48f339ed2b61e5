// Packs the weights of a model that is in use already. Passes take each matrix as they find it; the bits are the same.

namespace NanoGpt.Inference;

/// <summary>A thread that packs one matrix after the other, and ends.</summary>
internal sealed class BackgroundPacking : IDisposable
{
    private readonly Thread _thread;
    private volatile bool _isStopped;

    public BackgroundPacking(EngineWeights weights)
    {
        _thread = new Thread(() => Pack(weights)) { IsBackground = true, Name = "NanoGpt packing", Priority = ThreadPriority.BelowNormal };
        _thread.Start();
    }

    /// <summary>Stops after the matrix that is being packed, and waits for that.</summary>
    public void Dispose()
    {
        _isStopped = true;
        _thread.Join();
    }

    private void Pack(EngineWeights weights)
    {
        try
        {
            foreach (var matrix in weights.Matrices)
            {
                if (_isStopped) return;
                matrix.Pack(team: null);
            }
        }
        catch (OutOfMemoryException)
        {
            // The rest stays where it is: slower, and right.
        }
    }
}
