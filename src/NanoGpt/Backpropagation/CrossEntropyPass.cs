// The loss from the last hidden state, and its gradients. Logits - tokens times vocabulary, the largest matrix of a step -
// exist for some tokens at a time.

using NanoGpt.Numerics;

namespace NanoGpt.Backpropagation;

/// <summary>Projection to the vocabulary, softmax, and the mean cross entropy.</summary>
internal sealed unsafe class CrossEntropyPass : IDisposable
{
    /// <summary>How many logits exist at a time: 64 MB.</summary>
    public const int LogitsAtATime = 1 << 24;

    private const int Ignored = -1;

    // About how many operations a logit takes.
    private const int Work = 30;

    private readonly Workbench _bench;
    private readonly int _rows, _vocabulary, _width, _rowsAtATime;
    private readonly NativeBuffer _logits;
    private readonly double[] _losses;

    /// <param name="bench">Threads and arithmetic.</param>
    /// <param name="config">The model.</param>
    /// <param name="rows">Tokens in a batch.</param>
    public CrossEntropyPass(Workbench bench, GPTConfig config, int rows)
    {
        (_bench, _rows, _vocabulary, _width) = (bench, rows, config.VocabSize, config.NEmbd);
        var parts = ((long)rows * _vocabulary + LogitsAtATime - 1) / LogitsAtATime;
        _rowsAtATime = (int)Math.Max(1, (rows + parts - 1) / parts);
        _logits = NativeBuffer.OfFloats((long)_rowsAtATime * _vocabulary);
        _losses = new double[rows];
    }

    /// <summary>The mean cross entropy over the targets that are not -1; NaN where there are none.</summary>
    /// <param name="x">(rows, width): the last layer norm's output.</param>
    /// <param name="weight">(vocabulary, width).</param>
    /// <param name="targets">(rows): ids, or -1.</param>
    /// <param name="inputGradient">(rows, width): gets the gradient by x; null where no gradient is wanted.</param>
    /// <param name="scale">What the gradients are multiplied by.</param>
    public double Loss(float* x, Weight weight, long* targets, float* inputGradient, double scale)
    {
        var counted = 0;
        for (var row = 0; row < _rows; row++) counted += targets[row] == Ignored ? 0 : 1;
        var share = (float)(scale / counted);
        var matrix = new Matrix(weight.Value, _vocabulary, _width);
        for (var first = 0; first < _rows; first += _rowsAtATime)
        {
            var rows = Math.Min(_rowsAtATime, _rows - first);
            Matrix input = new(x + (nint)first * _width, rows, _width), logits = new(_logits.Floats, rows, _vocabulary);
            _bench.Product.Multiply(input, matrix.Transposed, logits);
            Softmax(logits, first, targets + first, inputGradient is null ? null : share);
            if (inputGradient is null) continue;

            _bench.Product.Multiply(logits, matrix, new Matrix(inputGradient + (nint)first * _width, rows, _width));
            var gradient = new Matrix(weight.Gradient, _vocabulary, _width);
            _bench.Product.Multiply(logits.Transposed, input, gradient, _bench.AddsGradients || first > 0 ? gradient : default);
        }

        var sum = 0.0;
        foreach (var loss in _losses) sum += loss;
        return sum / counted;
    }

    public void Dispose() => _logits.Dispose();

    /// <summary>Each row's loss; where a share is given, the logits become the loss's gradient by them, times that share.</summary>
    private void Softmax(Matrix logits, int first, long* targets, float? share) => _bench.ForRows(logits.Rows, (long)Work * logits.Columns, (from, count, _) =>
    {
        for (var row = from; row < from + count; row++)
        {
            var values = logits.At(row, 0);
            var isCounted = targets[row] != Ignored;
            var sum = _bench.Kernels.Rows.LogSumExp(values, logits.Columns);
            _losses[first + row] = isCounted ? (double)sum - values[targets[row]] : 0;
            if (share is not { } factor) continue;
            if (!isCounted)
            {
                new Span<float>(values, logits.Columns).Clear();
                continue;
            }

            _bench.Kernels.ShiftedExp(values, sum, factor, logits.Columns);
            values[targets[row]] -= factor;
        }
    });
}
