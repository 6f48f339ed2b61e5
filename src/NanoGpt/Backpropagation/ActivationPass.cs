// The nonlinearity of the MLP and its gradient.

namespace NanoGpt.Backpropagation;

/// <summary>A function of each number by itself.</summary>
/// <param name="bench">Threads and arithmetic.</param>
/// <param name="function">Which.</param>
/// <param name="width">Values of a token, in memory that is rounded up to whole vectors at the end.</param>
internal sealed unsafe class ActivationPass(Workbench bench, ActivationFunction function, int width)
{
    /// <summary>Numbers that a thread works on at a time: whole vectors, whatever their width.</summary>
    private const int Piece = 4096;

    // About how many operations a number takes.
    private const int Work = 30;

    /// <summary>y = function(x).</summary>
    public void Forward(int rows, float* x, float* y) => ForPieces(rows, (start, length) =>
    {
        new Span<float>(x + start, length).CopyTo(new Span<float>(y + start, length));
        bench.Kernels.Rows.Activate(function, y + start, length);
    });

    /// <summary>y = function(x) once more, and slope, the gradient by y, becomes that by x.</summary>
    public void Backward(int rows, float* x, float* slope, float* y) =>
        ForPieces(rows, (start, length) => bench.Kernels.ActivationGradient(function, x + start, slope + start, y + start, length));

    private void ForPieces(int rows, Action<nint, int> body)
    {
        var count = (long)rows * width;
        bench.ForRows((int)((count + Piece - 1) / Piece), Work * Piece, (first, pieces, _) =>
        {
            for (var piece = first; piece < first + pieces; piece++)
            {
                var start = (nint)piece * Piece;
                body(start, (int)Math.Min(Piece, count - start));
            }
        });
    }
}
