// A matrix of weights in the layout and precision that the kernels read: panels of outputs, each one sequential stream.
// Until it is packed, it lies where it was loaded from, and any panels of it can be packed for the moment.

using NanoGpt.Formats;
using NanoGpt.Numerics;

namespace NanoGpt.Inference;

/// <summary>One weight matrix [out, in]. Safe to share between threads, also while one of them packs it: either way it has the same bits.</summary>
internal sealed unsafe class PackedMatrix : IDisposable
{
    /// <summary>Outputs that are packed for the moment, in panels. Of a stored row [in, out], so many lie side by side as pay for the visit.</summary>
    public const int GroupPanels = 8;

    private readonly WeightTensor _source;
    private readonly PanelPacking _packing;
    private NativeBuffer? _packed;
    private int _panelsPacked;

    /// <summary>A matrix that is not packed yet: the source must stay.</summary>
    public PackedMatrix(WeightTensor source, Dtype precision, int panelWidth)
    {
        (Outputs, Inputs, PanelWidth, Precision) = (checked((int)source.Rows), checked((int)source.Columns), panelWidth, precision);
        PairStride = 2 * panelWidth * precision switch
        {
            Dtype.Float32 => sizeof(float),
            Dtype.BFloat16 => sizeof(ushort),
            Dtype.Int8 => sizeof(sbyte),
            _ => throw new ArgumentOutOfRangeException(nameof(precision), precision, "Half precision is for GPUs; the engine runs on the processor."),
        };
        _source = source;
        _packing = new PanelPacking(source, this);
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
    public int PanelCount => (Outputs + PanelWidth - 1) / PanelWidth;

    /// <summary>Half the number of columns, rounded up.</summary>
    public int ColumnPairs => (Inputs + 1) / 2;

    /// <summary>Bytes of two columns of a panel.</summary>
    public int PairStride { get; }

    /// <summary>Some panels, if they are packed.</summary>
    /// <param name="first">The first panel.</param>
    /// <param name="count">How many.</param>
    public PackedPanels? Packed(int first, int count) =>
        first + count <= Volatile.Read(ref _panelsPacked) ? View(_packed!.Bytes, PanelCount).From(first) : null;

    /// <summary>Bytes that all panels take.</summary>
    public long Bytes => Length(PanelCount);

    /// <summary>Bytes that some panels take, with the scales of their outputs.</summary>
    public long Length(int panels) => panels * (long)PanelStride + (Precision == Dtype.Int8 ? panels * (long)PanelWidth * sizeof(float) : 0);

    /// <summary>Packs a matrix, sharing the work among <paramref name="team"/>; the source may go afterwards.</summary>
    public static PackedMatrix Pack(WeightTensor weight, Dtype precision, int panelWidth, WorkerTeam team)
    {
        var matrix = new PackedMatrix(weight, precision, panelWidth);
        matrix.Pack(team);
        return matrix;
    }

    /// <summary>
    /// Packs the matrix where it isn't yet, a group of panels at a time; what of the source is packed gives back its pages. Not
    /// from two threads at a time.
    /// </summary>
    /// <param name="team">Shares the work; null for this thread alone, and each group can be used as soon as it is packed.</param>
    public void Pack(WorkerTeam? team)
    {
        if (_panelsPacked == PanelCount) return;
        _packed ??= new NativeBuffer(Bytes);
        var groups = (PanelCount - 1) / GroupPanels + 1;
        if (team is not null) team.For(groups, (long)Outputs * Inputs, (group, _) => PackGroup(group));
        for (var group = 0; team is null && group < groups; group++) Volatile.Write(ref _panelsPacked, PackGroup(group));
        Volatile.Write(ref _panelsPacked, PanelCount);
        _source.Release();
    }

    /// <summary>Packs a few panels into memory that is used again and again.</summary>
    /// <param name="first">The first panel.</param>
    /// <param name="count">How many, at most <see cref="GroupPanels"/>.</param>
    /// <param name="scratch">Room for <see cref="Length"/> bytes, aligned for vectors.</param>
    public PackedPanels PackSome(int first, int count, byte* scratch)
    {
        // Where an output or a column is missing, zeros are expected.
        if (Inputs % 2 != 0 || (first + count) * PanelWidth > Outputs) new Span<byte>(scratch, checked((int)Length(count))).Clear();
        var panels = View(scratch, count);
        _packing.Pack(first, count, panels);
        return panels;
    }

    /// <summary>Writes one row of the [out, in] matrix as float32: the embedding of an id.</summary>
    /// <param name="row">The row.</param>
    /// <param name="destination">Room for <see cref="Inputs"/> values.</param>
    /// <param name="scratch">Where a panel may be packed.</param>
    public void CopyRow(int row, float* destination, PackingScratch scratch)
    {
        var first = row / PanelWidth;
        var panels = Packed(first, 1) ?? PackSome(first, 1, scratch.Reserve(Length(1)));
        var panel = panels.Data;
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
                for (var c = 0; c < Inputs; c++) destination[c] = ((sbyte*)panel)[PairedIndex(c, lane)] * panels.Scales[lane];
                break;
        }
    }

    public void Dispose() => _packed?.Dispose();

    /// <returns>The panel after the group.</returns>
    private int PackGroup(int group)
    {
        var first = group * GroupPanels;
        var end = Math.Min(first + GroupPanels, PanelCount);
        _packing.Pack(first, end - first, View(_packed!.Bytes, PanelCount).From(first));
        _source.ReleaseRows(first * PanelWidth, Math.Min(end * PanelWidth, Outputs) - first * PanelWidth);
        return end;
    }

    private nint PanelStride => (nint)ColumnPairs * PairStride;

    /// <summary>Panels one after the other, then the scales of their outputs.</summary>
    private PackedPanels View(byte* data, int panels) => new(data, PanelStride, (float*)(data + panels * PanelStride), Precision, PanelWidth);

    /// <summary>Place of a weight in a panel of pairs: [column / 2][output][column % 2].</summary>
    private long PairedIndex(int column, int lane) => ((long)(column / 2) * PanelWidth + lane) * 2 + column % 2;
}

/// <summary>Panels of a matrix in any precision.</summary>
/// <param name="data">First byte of the first panel.</param>
/// <param name="stride">From one panel to the next, in bytes.</param>
/// <param name="scales">Int8: the scale of the first output.</param>
/// <param name="precision">How each weight is stored.</param>
/// <param name="panelWidth">Outputs of a panel.</param>
internal readonly unsafe struct PackedPanels(byte* data, nint stride, float* scales, Dtype precision, int panelWidth)
{
    public byte* Data => data;

    public nint Stride => stride;

    public float* Scales => scales;

    /// <summary>Panels of float weights.</summary>
    public Panels Floats => new(data, stride, precision);

    /// <summary>Panels of int8 weights.</summary>
    public QuantizedPanels Integers => new((sbyte*)data, stride, scales, panelWidth);

    /// <summary>The same matrix from another panel on.</summary>
    public PackedPanels From(int panel) => new(data + panel * stride, stride, scales + (nint)panel * panelWidth, precision, panelWidth);
}
