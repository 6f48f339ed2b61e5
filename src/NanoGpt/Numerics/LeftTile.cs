// The rows of a left factor that a tile of a product reads, packed or as they lie. Owns nothing.

namespace NanoGpt.Numerics;

/// <summary>Where the numbers of a tile's rows are.</summary>
/// <param name="data">The first number.</param>
/// <param name="rowStride">From one row to the next, in floats.</param>
/// <param name="columnStride">From one column to the next, in floats.</param>
internal readonly unsafe struct LeftTile(float* data, nint rowStride, nint columnStride)
{
    public float* Data => data;

    public nint RowStride => rowStride;

    public nint ColumnStride => columnStride;

    /// <summary>The tile that begins so many floats later.</summary>
    public LeftTile After(nint floats) => new(data + floats, rowStride, columnStride);
}
