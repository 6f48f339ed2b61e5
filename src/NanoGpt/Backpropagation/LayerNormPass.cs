// A layer norm and its gradients.

namespace NanoGpt.Backpropagation;

/// <summary>Each token's values moved to mean 0 and variance 1, then scaled and shifted.</summary>
/// <param name="bench">Threads and arithmetic.</param>
/// <param name="width">Values of a token.</param>
/// <param name="epsilon">Added to the variance.</param>
internal sealed unsafe class LayerNormPass(Workbench bench, int width, float epsilon)
{
    // About how many operations a value takes.
    private const int Work = 8;

    /// <summary>y = (x - mean) / deviation * weight + bias, token by token.</summary>
    public void Forward(int rows, float* x, LayerWeights weights, float* y) =>
        bench.ForRows(rows, Work * width, (first, count, _) =>
        {
            for (var row = first; row < first + count; row++)
                bench.Kernels.Rows.LayerNorm(x + (nint)row * width, weights.Weight.Value, weights.Bias.Value, epsilon, width, y + (nint)row * width);
        });

    /// <summary>The gradients by weight and bias; that by x is added to <paramref name="inputGradient"/>.</summary>
    /// <param name="rows">Tokens.</param>
    /// <param name="x">(rows, width), as on the way forward.</param>
    /// <param name="slope">(rows, width): the gradient by y.</param>
    /// <param name="weights">(width) and, or not, (width).</param>
    /// <param name="inputGradient">(rows, width): the gradient that comes by the residual connection.</param>
    public void Backward(int rows, float* x, float* slope, LayerWeights weights, float* inputGradient)
    {
        var sums = bench.SumOverRows(rows, 2 * Work * width, 2 * width, (row, sum) => bench.Kernels.LayerNormGradient(
            x + (nint)row * width, weights.Weight.Value, epsilon, slope + (nint)row * width, width, inputGradient + (nint)row * width, sum, sum + width));
        bench.Store(sums, width, weights.Weight);
        bench.Store(sums + width, width, weights.Bias);
    }
}
