// What all layers work with: threads, arithmetic, and sums over tokens that come out the same whatever the number of threads.

using NanoGpt.Numerics;

namespace NanoGpt.Backpropagation;

/// <summary>Work on some rows, by one thread.</summary>
/// <param name="first">The first row.</param>
/// <param name="count">How many.</param>
/// <param name="worker">The number of the thread in the team.</param>
internal delegate void RowsBody(int first, int count, int worker);

/// <summary>Threads and arithmetic for the layers of one network. Not thread safe.</summary>
internal sealed unsafe class Workbench : IDisposable
{
    // Rows are shared in parts whose number doesn't depend on the threads; sums over rows are made part by part and added in order.
    private const int Parts = 16;

    private NativeBuffer _partialSums = NativeBuffer.OfFloats(1);

    /// <param name="kernels">The instructions to use.</param>
    /// <param name="threads">How many threads; 0 for as many as processors.</param>
    public Workbench(GradientKernels kernels, int threads)
    {
        Kernels = kernels;
        Team = new WorkerTeam(threads);
        Product = kernels.CreateProduct(Team);
    }

    public GradientKernels Kernels { get; }

    public WorkerTeam Team { get; }

    public MatrixProduct Product { get; }

    /// <summary>Whether gradients of weights are added to those that are there, as from a second micro batch on.</summary>
    public bool AddsGradients { get; set; }

    /// <summary>Shares rows among the threads.</summary>
    /// <param name="rows">How many rows.</param>
    /// <param name="workPerRow">About how many operations a row takes.</param>
    /// <param name="body">Gets some rows.</param>
    public void ForRows(int rows, long workPerRow, RowsBody body)
    {
        var size = (rows + Parts - 1) / Parts;
        Team.For((rows + size - 1) / size, rows * workPerRow, (part, worker) => body(part * size, Math.Min(size, rows - part * size), worker));
    }

    /// <summary>Shares rows among the threads, and adds up what each part of them sums.</summary>
    /// <param name="rows">How many rows.</param>
    /// <param name="workPerRow">About how many operations a row takes.</param>
    /// <param name="length">Numbers in a sum.</param>
    /// <param name="body">Gets a row and a sum, of which nobody else knows meanwhile, to add to.</param>
    /// <returns>The sum of all rows: <paramref name="length"/> numbers, valid until the next call.</returns>
    public float* SumOverRows(int rows, long workPerRow, int length, SumBody body)
    {
        if (_partialSums.Length < sizeof(float) * (long)Parts * length)
        {
            _partialSums.Dispose();
            _partialSums = NativeBuffer.OfFloats((long)Parts * length);
        }

        var sums = _partialSums.Floats;
        var size = (rows + Parts - 1) / Parts;
        var parts = (rows + size - 1) / size;
        Team.For(parts, rows * workPerRow, (part, _) =>
        {
            var sum = sums + (nint)part * length;
            new Span<float>(sum, length).Clear();
            var end = Math.Min(rows, (part + 1) * size);
            for (var row = part * size; row < end; row++) body(row, sum);
        });
        for (var part = 1; part < parts; part++) Kernels.Add(sums + (nint)part * length, sums, length);
        return sums;
    }

    /// <summary>Stores the gradient of a weight, or adds it to what is there.</summary>
    public void Store(float* values, int length, Weight weight)
    {
        if (weight.Gradient is null) return;
        if (AddsGradients) Kernels.Add(values, weight.Gradient, length);
        else new Span<float>(values, length).CopyTo(new Span<float>(weight.Gradient, length));
    }

    public void Dispose()
    {
        Product.Dispose();
        Team.Dispose();
        _partialSums.Dispose();
    }
}

/// <summary>Adds what one row contributes to a sum.</summary>
internal unsafe delegate void SumBody(int row, float* sum);
