// A matrix of weights in the layout and precision that the kernels read: panels of outputs, each one sequential stream.

using NanoGpt.Formats;

namespace NanoGpt.Inference;

/// <summary>One weight matrix [out, in], packed. Immutable, so safe to share between threads.</summary>
internal sealed unsafe class PackedMatrix : IDisposable
{
    private readonly NativeBuffer _buffer;
    private readonly NativeBuffer? _scales;

    private PackedMatrix(int outputs, int inputs, int panelWidth, Dtype precision)
    {
        (Outputs, Inputs, PanelWidth, Precision) = (outputs, inputs, panelWidth, precision);
        PanelCount = (outputs + panelWidth - 1) / panelWidth;
        PairStride = 2 * panelWidth * precision switch
        {
            Dtype.Float32 => sizeof(float),
            Dtype.BFloat16 => sizeof(ushort),
            Dtype.Int8 => sizeof(sbyte),
            _ => throw new ArgumentOutOfRangeException(nameof(precision), precision, "Half precision is for GPUs; the engine runs on the processor."),
        };
        _buffer = new NativeBuffer(checked(PanelCount * (long)PanelStride));
        if (precision == Dtype.Int8) _scales = NativeBuffer.OfFloats(PanelCount * (long)panelWidth);
    }

    /// <summary>Rows of the [out, in] matrix.</summary>
    public int Outputs { get; }

    /// <summary>Columns of the [out, in] matrix.</summary>
    public int Inputs { get; }

    /// <summary>How each weight is stored.</summary>
    public Dtype Precision { get; }

    /// <summary>Outputs in a panel.</summary>
    public int PanelWidth { get; }

    /// <summary>Panels, the last one filled up with zeros.</summary>
    public int PanelCount { get; }

    /// <summary>Half the number of columns, rounded up.</summary>
    public int ColumnPairs => (Inputs + 1) / 2;

    /// <summary>Bytes of two columns of a panel.</summary>
    public int PairStride { get; }

    /// <summary>The panels of float weights.</summary>
    public Panels Panels => new(_buffer.Bytes, PanelStride, Precision);

    /// <summary>The panels of int8 weights.</summary>
    public QuantizedPanels QuantizedPanels => new((sbyte*)_buffer.Bytes, PanelStride, _scales!.Floats, PanelWidth);

    /// <summary>Bytes of memory held.</summary>
    public long Bytes => _buffer.Length + (_scales?.Length ?? 0);

    private nint PanelStride => (nint)ColumnPairs * PairStride;

    /// <summary>Packs a matrix, sharing the work among <paramref name="team"/>.</summary>
    public static PackedMatrix Pack(WeightTensor weight, Dtype precision, int panelWidth, WorkerTeam team)
    {
        var matrix = new PackedMatrix(checked((int)weight.Rows), checked((int)weight.Columns), panelWidth, precision);
        new PanelPacking(weight, matrix).Run(team);
        return matrix;
    }

    /// <summary>Writes one row of the [out, in] matrix as float32: the embedding of an id.</summary>
    public void CopyRow(int row, float* destination)
    {
        var panel = _buffer.Bytes + row / PanelWidth * PanelStride;
        var lane = row % PanelWidth;
        switch (Precision)
        {
            case Dtype.Float32:
                for (var c = 0; c < Inputs; c++) destination[c] = ((float*)panel)[(long)c * PanelWidth + lane];
                break;
            case Dtype.BFloat16:
                for (var c = 0; c < Inputs; c++)
                    destination[c] = BitConverter.UInt32BitsToSingle((uint)((ushort*)panel)[PairedIndex(c, lane)] << 16);
                break;
            default:
                for (var c = 0; c < Inputs; c++) destination[c] = ((sbyte*)panel)[PairedIndex(c, lane)] * _scales!.Floats[row];
                break;
        }
    }

    public void Dispose()
    {
        _buffer.Dispose();
        _scales?.Dispose();
    }

    /// <summary>Place of a weight in a panel of pairs: [column / 2][output][column % 2].</summary>
    private long PairedIndex(int column, int lane) => ((long)(column / 2) * PanelWidth + lane) * 2 + column % 2;
}
