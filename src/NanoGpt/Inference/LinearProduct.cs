// output = activation(input W^T + bias) for all rows of a batch, shared among the threads by panels of outputs.

namespace NanoGpt.Inference;

/// <summary>Applies linear layers. Holds the loop's arguments, so serves one pass at a time.</summary>
internal sealed unsafe class LinearProduct
{
    // A block of a panel (256 columns) stays in the first-level cache while up to 96 rows, which stay in the second, pass by.
    private const int BlockColumnPairs = 128;
    private const int BlockRows = 96;

    /// <summary>Multiplications that pay for handing a round to another thread.</summary>
    private const long WorthSharing = 1 << 16;

    private const int RoundsForEachThread = 8;

    private readonly Kernels kernels;
    private readonly WorkerTeam team;
    private readonly Action<int, int> multiplyPanels;
    private Linear layer = null!;
    private Rows input = null!;
    private Rows output = null!;
    private ActivationFunction? activation;
    private int rowCount;
    private int panelsInRound;

    public LinearProduct(Kernels kernels, WorkerTeam team)
    {
        (this.kernels, this.team) = (kernels, team);
        multiplyPanels = MultiplyPanels;
    }

    /// <summary>(R, in) -> (R, out).</summary>
    public void Run(Linear linear, Rows from, int rows, Rows to, ActivationFunction? then = null)
    {
        (layer, input, rowCount, output, activation) = (linear, from, rows, to, then);
        var matrix = linear.Matrix;
        var panelWork = (long)rows * matrix.PanelWidth * matrix.Inputs;
        var fewest = (int)Math.Min(matrix.PanelCount, WorthSharing / panelWork + 1);
        var even = (matrix.PanelCount - 1) / (team.Size * RoundsForEachThread) + 1;
        panelsInRound = (Math.Max(fewest, even) + 3) / 4 * 4; // A single row takes four panels at a time.
        team.For((matrix.PanelCount - 1) / panelsInRound + 1, multiplyPanels);
    }

    private void MultiplyPanels(int round, int worker)
    {
        var first = round * panelsInRound;
        var count = Math.Min(panelsInRound, layer.Matrix.PanelCount - first);
        var column = first * layer.Matrix.PanelWidth;
        var width = count * layer.Matrix.PanelWidth;

        for (var row = 0; row < rowCount; row++)
        {
            var values = new Span<float>(output[row] + column, width);
            if (layer.Bias is null) values.Clear();
            else new ReadOnlySpan<float>(layer.Bias.Floats + column, width).CopyTo(values);
        }

        if (rowCount == 1) MultiplyRow(first, count, column);
        else MultiplyBlocks(first, count, column);

        if (activation is not { } function) return;
        for (var row = 0; row < rowCount; row++) kernels.Activate(function, output[row] + column, width);
    }

    private void MultiplyRow(int firstPanel, int panelCount, int column) =>
        kernels.MultiplyAdd(
            input[0], input.Stride, 1, layer.Matrix.Panels.From(firstPanel), panelCount, layer.Matrix.ColumnPairs,
            output[0] + column, output.Stride);

    private void MultiplyBlocks(int firstPanel, int panelCount, int column)
    {
        var matrix = layer.Matrix;
        for (var row = 0; row < rowCount; row += BlockRows)
        {
            var rows = Math.Min(BlockRows, rowCount - row);
            for (var pair = 0; pair < matrix.ColumnPairs; pair += BlockColumnPairs)
            {
                var pairs = Math.Min(BlockColumnPairs, matrix.ColumnPairs - pair);
                for (var p = 0; p < panelCount; p++)
                {
                    kernels.MultiplyAdd(
                        input[row] + 2 * pair, input.Stride, rows,
                        matrix.Panels.From(firstPanel + p, (nint)pair * matrix.PairStride), 1, pairs,
                        output[row] + column + p * matrix.PanelWidth, output.Stride);
                }
            }
        }
    }
}
