// How int8 products see their factors in memory.

namespace NanoGpt.Inference;

/// <summary>Activations rounded to 16 bits, one scale for each block of <see cref="BlockColumns"/> columns of a row.</summary>
/// <param name="values">First value.</param>
/// <param name="stride">From one row to the next, in values.</param>
/// <param name="scales">Scale of the first row's block.</param>
/// <param name="scaleStride">From the scale of one row to that of the next.</param>
internal readonly unsafe struct QuantizedRows(short* values, nint stride, float* scales, nint scaleStride)
{
    /// <summary>Columns that share a scale. 256 products of 7 and 15 bits sum up to at most 2^30: the sum of a block is exact.</summary>
    public const int BlockColumns = 256;

    public short* Values => values;

    public nint Stride => stride;

    public float* Scales => scales;

    public nint ScaleStride => scaleStride;

    /// <summary>The same rows from another row and block on.</summary>
    public QuantizedRows From(int row, int block) =>
        new(values + row * stride + (nint)block * BlockColumns, stride, scales + row * scaleStride + block, scaleStride);
}

/// <summary>Panels of int8 weights, [column / 2][output][column % 2], and one scale for each output.</summary>
/// <param name="data">First weight.</param>
/// <param name="stride">From one panel to the next, in weights.</param>
/// <param name="scales">Scale of the first output.</param>
/// <param name="panelWidth">Outputs of a panel.</param>
internal readonly unsafe struct QuantizedPanels(sbyte* data, nint stride, float* scales, int panelWidth)
{
    public sbyte* Data => data;

    public nint Stride => stride;

    public float* Scales => scales;

    /// <summary>The same matrix from another panel on, and from a later column on.</summary>
    public QuantizedPanels From(int panel, nint byteInPanel = 0) =>
        new(data + panel * stride + byteInPanel, stride, scales + (nint)panel * panelWidth, panelWidth);
}
