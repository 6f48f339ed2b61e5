// Draws the next batch on another thread while a step runs, so that a step never waits for the disk. What a batch is depends
// on its place alone (BatchSampler.cs): who draws it, and when, changes nothing.

using NanoGpt.Data;

namespace NanoGpt.Training;

/// <summary>Batches that are there before they are asked for, as long as they are asked for in the order of a run. One thread at a time.</summary>
/// <param name="source">What draws them. Not disposed; after <see cref="Dispose"/> no longer used.</param>
internal sealed class BatchesAhead(IBatches source) : IBatches, IDisposable
{
    private Task? _drawing;
    private BatchPlace _next, _lastStep;
    private int _microSteps = 1; // as many as the last iteration had
    private long[] _x = [], _y = [];

    public long TrainTokens => source.TrainTokens;

    public string Source => source.Source;

    public string Fingerprint => source.Fingerprint;

    public void Check(int vocabSize, int blockSize) => source.Check(vocabSize, blockSize);

    public string Describe(BatchPlace place, int batchSize, int blockSize) => source.Describe(place, batchSize, blockSize);

    public void Fill(BatchPlace place, int blockSize, Span<long> x, Span<long> y)
    {
        if (Wait() is { } drawn && _next == place && _x.Length == x.Length)
        {
            drawn.GetAwaiter().GetResult(); // what went wrong there is thrown here
            _x.CopyTo(x);
            _y.CopyTo(y);
        }
        else
        {
            source.Fill(place, blockSize, x, y);
            if (_x.Length != x.Length) (_x, _y) = (new long[x.Length], new long[x.Length]);
        }

        _next = After(place);
        _drawing = Task.Run(() => source.Fill(_next, blockSize, _x, _y));
    }

    /// <summary>Waits for the thread, so that the data may be disposed. A batch that nobody asked for fails unheard.</summary>
    public void Dispose() => Wait();

    /// <summary>The batch drawn meanwhile, whole or failed; null if there is none.</summary>
    private Task? Wait()
    {
        var drawing = _drawing;
        _drawing = null;
        if (drawing is not null) _ = Task.WhenAny(drawing).GetAwaiter().GetResult(); // WhenAny does not throw
        _ = drawing?.Exception; // seen
        return drawing;
    }

    private BatchPlace After(BatchPlace place)
    {
        if (place.Evaluation) return place with { Index = place.Index + 1 };
        if (place.Iteration != _lastStep.Iteration) _microSteps = _lastStep.Index + 1;
        _lastStep = place;
        return place.Index + 1 < _microSteps ? place with { Index = place.Index + 1 } : place with { Iteration = place.Iteration + 1, Index = 0 };
    }
}
