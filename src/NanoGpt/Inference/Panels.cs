// Where a matrix lies that a kernel multiplies by: cut into panels of PanelWidth outputs, each panel one sequential stream.

namespace NanoGpt.Inference;

/// <summary>Panels of a matrix in memory. In each, the weights of its outputs for column 0 lie side by side, then for column 1, ...</summary>
/// <remarks>
/// Float32: [column][output]. BFloat16: [column / 2][output][column % 2]. A panel has an even number of columns; the last is
/// zero where the matrix has an odd number.
/// </remarks>
internal readonly unsafe struct Panels(byte* data, nint stride, Dtype precision)
{
    /// <summary>First byte of the first panel.</summary>
    public byte* Data => data;

    /// <summary>From one panel to the next, in bytes.</summary>
    public nint Stride => stride;

    /// <summary>How each weight is stored.</summary>
    public Dtype Precision => precision;

    /// <summary>The same matrix from another panel on, and from a later column on.</summary>
    public Panels From(int panel, nint byteInPanel = 0) => new(data + panel * stride + byteInPanel, stride, precision);
}
