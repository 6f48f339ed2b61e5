// output = activation(input W^T + bias) for all rows of a batch, shared among the threads by panels of outputs.

namespace NanoGpt.Inference;

/// <summary>Applies linear layers. Holds the loop's arguments, so serves one pass at a time.</summary>
internal sealed unsafe class LinearProduct : IDisposable
{
    // A block of a panel (256 columns) stays in the first-level cache while up to 96 rows, which stay in the second, pass by.
    private const int BlockColumnPairs = QuantizedRows.BlockColumns / 2;
    private const int BlockRows = 96;

    /// <summary>Multiplications in a round that pay for handing it out.</summary>
    private const long SmallestRound = 1 << 16;

    private const int RoundsForEachThread = 8;

    private readonly Kernels _kernels;
    private readonly WorkerTeam _team;
    private readonly Action<int, int> _multiplyPanels;
    private readonly Action<int, int> _quantizeRow;
    private Linear _layer = null!;
    private Rows _input = null!;
    private Rows _output = null!;
    private ActivationFunction? _activation;
    private int _rowCount;
    private int _panelsInRound;
    private NativeBuffer? _quantized;
    private NativeBuffer? _scales;

    public LinearProduct(Kernels kernels, WorkerTeam team)
    {
        (_kernels, _team) = (kernels, team);
        (_multiplyPanels, _quantizeRow) = (MultiplyPanels, QuantizeRow);
    }

    /// <summary>(R, in) -> (R, out).</summary>
    public void Run(Linear linear, Rows from, int rows, Rows to, ActivationFunction? then = null)
    {
        (_layer, _input, _rowCount, _output, _activation) = (linear, from, rows, to, then);
        var matrix = linear.Matrix;
        if (matrix.Precision == WeightPrecision.Int8) QuantizeInput();

        var panelWork = (long)rows * matrix.PanelWidth * matrix.Inputs;
        var fewest = (int)Math.Min(matrix.PanelCount, SmallestRound / panelWork + 1);
        var even = (matrix.PanelCount - 1) / (_team.Size * RoundsForEachThread) + 1;
        _panelsInRound = (Math.Max(fewest, even) + 3) / 4 * 4; // A single row takes four panels at a time.
        _team.For((matrix.PanelCount - 1) / _panelsInRound + 1, panelWork * matrix.PanelCount, _multiplyPanels);
    }

    public void Dispose()
    {
        _quantized?.Dispose();
        _scales?.Dispose();
    }

    private void MultiplyPanels(int round, int worker)
    {
        var first = round * _panelsInRound;
        var count = Math.Min(_panelsInRound, _layer.Matrix.PanelCount - first);
        var column = first * _layer.Matrix.PanelWidth;
        var width = count * _layer.Matrix.PanelWidth;

        for (var row = 0; row < _rowCount; row++)
        {
            var values = new Span<float>(_output[row] + column, width);
            if (_layer.Bias is null) values.Clear();
            else new ReadOnlySpan<float>(_layer.Bias.Floats + column, width).CopyTo(values);
        }

        if (_layer.Matrix.Precision == WeightPrecision.Int8) MultiplyQuantized(first, count, column);
        else if (_rowCount == 1) MultiplyRow(first, count, column);
        else MultiplyBlocks(first, count, column);

        if (_activation is not { } function) return;
        for (var row = 0; row < _rowCount; row++) _kernels.Activate(function, _output[row] + column, width);
    }

    private void MultiplyRow(int firstPanel, int panelCount, int column) =>
        _kernels.MultiplyAdd(
            _input[0], _input.Stride, 1, _layer.Matrix.Panels.From(firstPanel), panelCount, _layer.Matrix.ColumnPairs,
            _output[0] + column, _output.Stride);

    private void MultiplyBlocks(int firstPanel, int panelCount, int column)
    {
        var matrix = _layer.Matrix;
        for (var row = 0; row < _rowCount; row += BlockRows)
        {
            var rows = Math.Min(BlockRows, _rowCount - row);
            for (var pair = 0; pair < matrix.ColumnPairs; pair += BlockColumnPairs)
            {
                var pairs = Math.Min(BlockColumnPairs, matrix.ColumnPairs - pair);
                for (var p = 0; p < panelCount; p++)
                {
                    _kernels.MultiplyAdd(
                        _input[row] + 2 * pair, _input.Stride, rows,
                        matrix.Panels.From(firstPanel + p, (nint)pair * matrix.PairStride), 1, pairs,
                        _output[row] + column + p * matrix.PanelWidth, _output.Stride);
                }
            }
        }
    }

    private void MultiplyQuantized(int firstPanel, int panelCount, int column)
    {
        // Alone, a row wants each panel as one stream from end to end; in company, rows share a block that is in the cache.
        var panelsTogether = _rowCount == 1 ? 4 : panelCount;
        for (var row = 0; row < _rowCount; row += BlockRows)
        {
            for (var p = 0; p < panelCount; p += panelsTogether)
                MultiplyQuantized(row, Math.Min(BlockRows, _rowCount - row), firstPanel + p, Math.Min(panelsTogether, panelCount - p), column + p * _layer.Matrix.PanelWidth);
        }
    }

    private void MultiplyQuantized(int row, int rows, int firstPanel, int panelCount, int column)
    {
        var matrix = _layer.Matrix;
        for (var pair = 0; pair < matrix.ColumnPairs; pair += BlockColumnPairs)
        {
            _kernels.MultiplyAddQuantized(
                QuantizedInput.From(row, pair / BlockColumnPairs), rows,
                matrix.QuantizedPanels.From(firstPanel, (nint)pair * matrix.PairStride), panelCount,
                Math.Min(BlockColumnPairs, matrix.ColumnPairs - pair), _output[row] + column, _output.Stride);
        }
    }

    private QuantizedRows QuantizedInput => new((short*)_quantized!.Bytes, _input.Stride, _scales!.Floats, ScaleStride);

    private int ScaleStride => (_input.Width - 1) / QuantizedRows.BlockColumns + 1;

    private void QuantizeInput()
    {
        Reserve(ref _quantized, (long)_rowCount * _input.Stride * sizeof(short));
        Reserve(ref _scales, (long)_rowCount * ScaleStride * sizeof(float));
        _team.For(_rowCount, 4L * _rowCount * _input.Width, _quantizeRow);
    }

    private void QuantizeRow(int row, int worker) => _kernels.Quantize(
        _input[row], _input.Width, (short*)_quantized!.Bytes + (nint)row * _input.Stride, _scales!.Floats + (nint)row * ScaleStride);

    private static void Reserve(ref NativeBuffer? buffer, long length)
    {
        if (buffer is not null && buffer.Length >= length) return;
        buffer?.Dispose();
        buffer = new NativeBuffer(length);
    }
}
