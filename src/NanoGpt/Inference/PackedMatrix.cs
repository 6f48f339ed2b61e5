// A matrix of weights in the layout and precision that the kernels read: panels of outputs, each one sequential stream.

using NanoGpt.Formats;

namespace NanoGpt.Inference;

/// <summary>One weight matrix [out, in], packed. Immutable, so safe to share between threads.</summary>
internal sealed unsafe class PackedMatrix : IDisposable
{
    private readonly NativeBuffer _buffer;

    private PackedMatrix(int outputs, int inputs, int panelWidth, WeightPrecision precision)
    {
        Outputs = outputs;
        Inputs = inputs;
        PanelWidth = panelWidth;
        PanelCount = (outputs + panelWidth - 1) / panelWidth;
        var weightSize = precision == WeightPrecision.Float32 ? sizeof(float) : sizeof(ushort);
        PairStride = 2 * panelWidth * weightSize;
        var stride = (nint)ColumnPairs * PairStride;
        _buffer = new NativeBuffer(checked(PanelCount * (long)stride));
        Panels = new Panels(_buffer.Bytes, stride, precision);
    }

    /// <summary>Rows of the [out, in] matrix.</summary>
    public int Outputs { get; }

    /// <summary>Columns of the [out, in] matrix.</summary>
    public int Inputs { get; }

    /// <summary>Half the number of columns, rounded up.</summary>
    public int ColumnPairs => (Inputs + 1) / 2;

    public int PanelWidth { get; }

    public int PanelCount { get; }

    /// <summary>Bytes of two columns of a panel.</summary>
    public int PairStride { get; }

    public Panels Panels { get; }

    /// <summary>Bytes of memory held.</summary>
    public long Bytes => _buffer.Length;

    /// <summary>Packs a matrix, sharing the work among <paramref name="team"/>.</summary>
    public static PackedMatrix Pack(WeightTensor weight, WeightPrecision precision, int panelWidth, WorkerTeam team)
    {
        var matrix = new PackedMatrix(checked((int)weight.Rows), checked((int)weight.Columns), panelWidth, precision);
        team.For(matrix.PanelCount, weight.ElementCount, (panel, _) => matrix.PackPanel(weight, panel));
        return matrix;
    }

    /// <summary>Writes one row of the [out, in] matrix as float32: the embedding of an id.</summary>
    public void CopyRow(int row, float* destination)
    {
        var panel = Panels.Data + row / PanelWidth * Panels.Stride;
        var lane = row % PanelWidth;
        if (Panels.Precision == WeightPrecision.Float32)
        {
            for (var c = 0; c < Inputs; c++) destination[c] = ((float*)panel)[(long)c * PanelWidth + lane];
        }
        else
        {
            var halves = (ushort*)panel;
            for (var c = 0; c < Inputs; c++)
                destination[c] = BitConverter.UInt32BitsToSingle((uint)halves[((long)(c / 2) * PanelWidth + lane) * 2 + c % 2] << 16);
        }
    }

    public void Dispose() => _buffer.Dispose();

    private void PackPanel(WeightTensor weight, int panel)
    {
        var firstRow = panel * PanelWidth;
        var rows = Math.Min(PanelWidth, Outputs - firstRow);
        using var copy = NativeBuffer.OfFloats((long)rows * Inputs);
        weight.CopyRows(copy.Floats, firstRow, rows);

        var destination = Panels.Data + panel * Panels.Stride;
        for (var lane = 0; lane < rows; lane++)
        {
            var source = copy.Floats + (long)lane * Inputs;
            if (Panels.Precision == WeightPrecision.Float32) PackLane(source, (float*)destination, lane);
            else PackLane(source, (ushort*)destination, lane);
        }
    }

    private void PackLane(float* source, float* panel, int lane)
    {
        for (var c = 0; c < Inputs; c++) panel[(long)c * PanelWidth + lane] = source[c];
    }

    private void PackLane(float* source, ushort* panel, int lane)
    {
        for (var c = 0; c < Inputs; c++) panel[((long)(c / 2) * PanelWidth + lane) * 2 + c % 2] = RoundToBFloat16(source[c]);
    }

    /// <summary>The upper half of a float32, rounded to nearest even; a NaN stays one.</summary>
    internal static ushort RoundToBFloat16(float value)
    {
        var bits = BitConverter.SingleToUInt32Bits(value);
        if (float.IsNaN(value)) return (ushort)((bits >> 16) | 0x40);
        return (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }
}
