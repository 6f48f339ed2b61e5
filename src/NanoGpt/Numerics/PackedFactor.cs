// The right factor of a product in the order in which tiles read it: packed once, multiplied by often. Owns nothing.

namespace NanoGpt.Numerics;

/// <summary>Panels of some columns each, row by row, as <see cref="MatrixProduct.Pack"/> makes them.</summary>
/// <param name="data">The first number.</param>
/// <param name="rows">How many rows.</param>
/// <param name="columns">How many columns.</param>
/// <param name="panelStride">From one panel to the next, in floats.</param>
/// <param name="panelColumns">Columns of a panel.</param>
internal readonly unsafe struct PackedFactor(float* data, int rows, int columns, nint panelStride, int panelColumns)
{
    public float* Data => data;

    public int Rows => rows;

    public int Columns => columns;

    public nint PanelStride => panelStride;

    /// <summary>Some of its rows, and of its columns the first.</summary>
    public PackedFactor Part(int row, int rowCount, int columnCount) => new(data + (nint)row * panelColumns, rowCount, columnCount, panelStride, panelColumns);
}
