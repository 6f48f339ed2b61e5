// Token plus position embedding, and their gradients.

namespace NanoGpt.Backpropagation;

/// <summary>The residual stream's beginning: a row of the token table plus a row of the position table.</summary>
/// <param name="bench">Threads and arithmetic.</param>
/// <param name="config">The model.</param>
internal sealed unsafe class EmbeddingPass(Workbench bench, GPTConfig config)
{
    private readonly int _width = config.NEmbd;

    /// <summary>x = wte[id] + wpe[position].</summary>
    /// <param name="rows">Tokens of all sequences.</param>
    /// <param name="length">Tokens of a sequence.</param>
    /// <param name="ids">(rows).</param>
    /// <param name="tokens">(vocabulary, width).</param>
    /// <param name="positions">(block size, width).</param>
    /// <param name="x">(rows, width).</param>
    public void Forward(int rows, int length, long* ids, Weight tokens, Weight positions, float* x) =>
        bench.ForRows(rows, 2 * _width, (first, count, _) =>
        {
            for (var row = first; row < first + count; row++)
            {
                var to = x + (nint)row * _width;
                new Span<float>(tokens.Value + (nint)ids[row] * _width, _width).CopyTo(new Span<float>(to, _width));
                bench.Kernels.Add(positions.Value + (nint)(row % length) * _width, to, _width);
            }
        });

    /// <summary>Adds each token's gradient to the row of its id, and to that of its position.</summary>
    /// <param name="rows">Tokens of all sequences.</param>
    /// <param name="length">Tokens of a sequence.</param>
    /// <param name="ids">(rows).</param>
    /// <param name="slope">(rows, width): the gradient by x.</param>
    /// <param name="tokens">(vocabulary, width); its gradient has that of the output projection where the two are one.</param>
    /// <param name="positions">(block size, width).</param>
    public void Backward(int rows, int length, long* ids, float* slope, Weight tokens, Weight positions)
    {
        if (!bench.AddsGradients)
        {
            if (!config.TieWordEmbeddings) Clear(tokens.Gradient, (long)config.VocabSize * _width);
            Clear(positions.Gradient, (long)config.BlockSize * _width);
        }

        // An id occurs more than once: each thread adds some columns of all tokens, so always in the same order.
        var parts = Math.Min(bench.Team.Size, _width);
        bench.Team.For(parts, 2L * rows * _width, (part, _) =>
        {
            int from = (int)((long)_width * part / parts), columns = (int)((long)_width * (part + 1) / parts) - from;
            for (var row = 0; row < rows; row++)
            {
                var gradient = slope + (nint)row * _width + from;
                bench.Kernels.Add(gradient, tokens.Gradient + (nint)ids[row] * _width + from, columns);
                bench.Kernels.Add(gradient, positions.Gradient + (nint)(row % length) * _width + from, columns);
            }
        });
    }

    private static void Clear(float* values, long count) => System.Runtime.InteropServices.NativeMemory.Clear(values, (nuint)count * sizeof(float));
}
