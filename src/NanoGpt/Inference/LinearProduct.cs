// output = activation(input W^T + bias) for all rows of a batch, shared among the threads by panels of outputs.

using NanoGpt.Numerics;

namespace NanoGpt.Inference;

/// <summary>Applies linear layers. Holds the loop's arguments, so serves one pass at a time.</summary>
internal sealed unsafe class LinearProduct : IDisposable
{
    // Some columns of a panel (48 KB of float32) and of some rows (144 KB) stay in the second-level cache while they meet.
    // Tried from 64 to 384 pairs and from 48 to 240 rows: fewer pairs or more rows are 5 to 40 % slower.
    private const int BlockColumnPairs = 3 * QuantizedRows.BlockColumns / 2;
    private const int BlockRows = 48;

    /// <summary>Up to so many rows, fetching the weights takes longer than multiplying: each panel is read once, from end to end.</summary>
    private const int StreamedRows = 12;

    /// <summary>Multiplications in a round that pay for handing it out.</summary>
    private const long SmallestRound = 1 << 16;

    // With many rows the panels of a round are read often enough to be few, and small rounds even out how fast the threads are.
    private const int RoundsOfManyRows = 32;
    private const int RoundsOfFewRows = 8;

    private readonly PanelKernels _kernels;
    private readonly WorkerTeam _team;
    private readonly Action<int, int> _multiplyPanels;
    private readonly Action<int, int> _quantizeRow;
    private readonly PackingScratch[] _scratch;
    private Linear _layer = null!;
    private Rows _input = null!;
    private Rows _output = null!;
    private ActivationFunction? _activation;
    private int _rowCount;
    private int _panelsInRound;
    private NativeBuffer? _quantized;
    private NativeBuffer? _scales;

    /// <param name="kernels">The arithmetic.</param>
    /// <param name="team">The threads.</param>
    /// <param name="scratch">For each thread, where panels of a matrix that is not packed are packed for the moment.</param>
    public LinearProduct(PanelKernels kernels, WorkerTeam team, PackingScratch[] scratch)
    {
        (_kernels, _team, _scratch) = (kernels, team, scratch);
        (_multiplyPanels, _quantizeRow) = (MultiplyPanels, QuantizeRow);
    }

    /// <summary>(R, in) -> (R, out).</summary>
    public void Run(Linear linear, Rows from, int rows, Rows to, ActivationFunction? then = null)
    {
        (_layer, _input, _rowCount, _output, _activation) = (linear, from, rows, to, then);
        var matrix = linear.Matrix;
        if (matrix.Precision == Dtype.Int8) QuantizeInput();

        var panelWork = (long)rows * matrix.PanelWidth * matrix.Inputs;
        var fewest = (int)Math.Min(matrix.PanelCount, SmallestRound / panelWork + 1);
        var even = (matrix.PanelCount - 1) / (_team.Size * (rows > StreamedRows ? RoundsOfManyRows : RoundsOfFewRows)) + 1;
        _panelsInRound = Math.Max(fewest, even);
        if (rows == 1) _panelsInRound = (_panelsInRound + 3) / 4 * 4; // A single row takes four panels at a time.
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

        if (_layer.Matrix.Packed(first, count) is { } packed) Multiply(packed, count, column);
        else PackAndMultiply(first, count, column, _scratch[worker]);

        if (_activation is not { } function) return;
        for (var row = 0; row < _rowCount; row++) _kernels.Rows.Activate(function, _output[row] + column, width);
    }

    /// <summary>The first passes after loading: the weights still lie in the file, and are packed a few panels at a time.</summary>
    private void PackAndMultiply(int firstPanel, int panelCount, int column, PackingScratch scratch)
    {
        var matrix = _layer.Matrix;
        for (var panel = 0; panel < panelCount; panel += PackedMatrix.GroupPanels)
        {
            var count = Math.Min(PackedMatrix.GroupPanels, panelCount - panel);
            var panels = matrix.PackSome(firstPanel + panel, count, scratch.Reserve(matrix.Length(count)));
            Multiply(panels, count, column + panel * matrix.PanelWidth);
        }
    }

    private void Multiply(PackedPanels panels, int panelCount, int column)
    {
        if (_layer.Matrix.Precision == Dtype.Int8) MultiplyQuantized(panels.Integers, panelCount, column);
        else if (_rowCount <= StreamedRows) MultiplyRows(panels.Floats, panelCount, column);
        else MultiplyBlocks(panels.Floats, panelCount, column);
    }

    private void MultiplyRows(Panels panels, int panelCount, int column) => _kernels.MultiplyAdd(
        _input[0], _input.Stride, _rowCount, panels, panelCount, _layer.Matrix.ColumnPairs, _output[0] + column, _output.Stride);

    private void MultiplyBlocks(Panels panels, int panelCount, int column)
    {
        var matrix = _layer.Matrix;
        for (var row = 0; row < _rowCount; row += BlockRows)
        {
            var rows = Math.Min(BlockRows, _rowCount - row);
            for (var pair = 0; pair < matrix.ColumnPairs; pair += BlockColumnPairs)
            {
                _kernels.MultiplyAdd(
                    _input[row] + 2 * pair, _input.Stride, rows, panels.From(0, (nint)pair * matrix.PairStride), panelCount,
                    Math.Min(BlockColumnPairs, matrix.ColumnPairs - pair), _output[row] + column, _output.Stride);
            }
        }
    }

    private void MultiplyQuantized(QuantizedPanels panels, int panelCount, int column)
    {
        var matrix = _layer.Matrix;
        var pairsTogether = _rowCount <= StreamedRows ? matrix.ColumnPairs : BlockColumnPairs;
        for (var row = 0; row < _rowCount; row += BlockRows)
        {
            for (var pair = 0; pair < matrix.ColumnPairs; pair += pairsTogether)
            {
                _kernels.MultiplyAddQuantized(
                    QuantizedInput.From(row, 2 * pair / QuantizedRows.BlockColumns), Math.Min(BlockRows, _rowCount - row),
                    panels.From(0, (nint)pair * matrix.PairStride), panelCount,
                    Math.Min(pairsTogether, matrix.ColumnPairs - pair), _output[row] + column, _output.Stride);
            }
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
