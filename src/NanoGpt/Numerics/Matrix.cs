// A view of numbers as a matrix: where they begin and how far apart neighbours are. Owns nothing.

namespace NanoGpt.Numerics;

/// <summary>Rows and columns of float32 numbers in memory that somebody else owns.</summary>
/// <param name="data">The first number.</param>
/// <param name="rows">How many rows.</param>
/// <param name="columns">How many columns.</param>
/// <param name="rowStride">From one row to the next, in floats.</param>
/// <param name="columnStride">From one column to the next, in floats: 1, unless the rows are.</param>
internal readonly unsafe struct Matrix(float* data, int rows, int columns, nint rowStride, nint columnStride)
{
    /// <summary>Whole rows, one behind the other.</summary>
    public Matrix(float* data, int rows, int columns)
        : this(data, rows, columns, columns, 1)
    {
    }

    public float* Data => data;

    public int Rows => rows;

    public int Columns => columns;

    public nint RowStride => rowStride;

    public nint ColumnStride => columnStride;

    /// <summary>The same numbers with rows for columns.</summary>
    public Matrix Transposed => new(data, columns, rows, columnStride, rowStride);

    /// <summary>The address of an element.</summary>
    public float* At(int row, int column) => data + row * rowStride + column * columnStride;

    /// <summary>A part of it.</summary>
    public Matrix Part(int row, int rowCount, int column, int columnCount) => new(At(row, column), rowCount, columnCount, rowStride, columnStride);
}
