// The innermost part of a matrix product: packs parts of both factors so that it reads them in order, and multiplies them
// tile by tile in registers. The parts and their sizes are SimdMatrixProduct's.

using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace NanoGpt.Numerics;

/// <summary>Tiles of <see cref="TileRows"/> rows and two vectors of columns.</summary>
/// <typeparam name="TSimd">The vector operations.</typeparam>
/// <typeparam name="TVector">Their vector.</typeparam>
/// <remarks>
/// Twelve sums, two vectors of the right factor and one number of the left one are fifteen registers of the sixteen that
/// AVX2 has. The right factor's part lies as panels of two vectors, the left one's as panels of six rows.
/// </remarks>
internal static unsafe class ProductKernel<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    public const int TileRows = 6;

    // Columns of a for each turn of the loop: a core that is shared has no instructions to spare for counting.
    private const int Turn = 4;

    // Rows of a transposed matrix are far apart: nobody but us sees in time which is read next.
    private const int RowsAhead = 16;
    private const int FloatsOfLine = 16;

    public static int TileColumns
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 2 * TSimd.Width;
    }

    /// <summary>Packs a left factor: for each six rows, column by column. Rows that are missing are zeros.</summary>
    /// <param name="a">The factor.</param>
    /// <param name="packed">Room for it, its rows rounded up to whole tiles, and for two numbers more.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void PackLeft(Matrix a, float* packed)
    {
        var whole = a.Rows / TileRows * TileRows;
        var tileStride = (nint)TileRows * a.Columns;
        if (a.RowStride == 1)
        {
            PackColumnsOfSix(a.Part(0, whole, 0, a.Columns), packed);
        }
        else if (a.ColumnStride == 1)
        {
            for (var row = 0; row < whole; row += TileRows) PackSixRows(a.At(row, 0), a.RowStride, a.Columns, packed + row / TileRows * tileStride);
        }
        else
        {
            whole = 0;
        }

        for (var row = whole; row < a.Rows; row += TileRows)
            PackRows(a.Part(row, Math.Min(TileRows, a.Rows - row), 0, a.Columns), packed + row / TileRows * tileStride);
    }

    /// <summary>Packs a right factor: for each two vectors of columns, row by row. Columns that are missing are zeros.</summary>
    /// <param name="b">The factor.</param>
    /// <param name="packed">Room for it, its columns rounded up to whole tiles.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void PackRight(Matrix b, float* packed)
    {
        for (var column = 0; column < b.Columns; column += TileColumns, packed += (nint)TileColumns * b.Rows)
        {
            var part = b.Part(0, b.Rows, column, Math.Min(TileColumns, b.Columns - column));
            if (part.Columns < TileColumns) PackFewColumns(part, packed);
            else if (b.ColumnStride == 1) PackColumns(part, packed);
            else PackColumnsFromRows(part, packed);
        }
    }

    // Columns of eight numbers, of which six are wanted: what the last two write is covered by the next column.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PackSixRows(float* from, nint stride, int columns, float* to)
    {
        var column = 0;
        for (; column <= columns - Transposition.Size; column += Transposition.Size, to += Transposition.Size * TileRows)
            Transposition.Transpose(from + column, stride, to, TileRows, TileRows);
        for (; column < columns; column++, to += TileRows)
        {
            for (var i = 0; i < TileRows; i++) to[i] = from[i * stride + column];
        }
    }

    // a is a transposed matrix: its columns are rows in memory, which are read once, in order.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PackColumnsOfSix(Matrix a, float* to)
    {
        var tileStride = (nint)TileRows * a.Columns;
        for (var column = 0; column < a.Columns; column++, to += TileRows)
        {
            var from = a.At(0, column);
            var tile = to;
            for (var line = 0; line < a.Rows; line += FloatsOfLine) TSimd.Prefetch((byte*)(from + RowsAhead * a.ColumnStride + line));
            for (var end = from + a.Rows; from < end; from += TileRows, tile += tileStride)
            {
                Vector128.Load(from).Store(tile);
                *(long*)(tile + 4) = *(long*)(from + 4);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PackRows(Matrix a, float* to)
    {
        for (var column = 0; column < a.Columns; column++, to += TileRows)
        {
            var from = a.At(0, column);
            var i = 0;
            for (; i < a.Rows; i++) to[i] = from[i * a.RowStride];
            for (; i < TileRows; i++) to[i] = 0;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PackColumns(Matrix b, float* to)
    {
        var from = b.Data;
        for (var row = 0; row < b.Rows; row++, from += b.RowStride, to += TileColumns)
        {
            TSimd.Store(TSimd.Load(from), to);
            TSimd.Store(TSimd.Load(from + TSimd.Width), to + TSimd.Width);
        }
    }

    // b is a transposed matrix: its columns are rows in memory.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PackColumnsFromRows(Matrix b, float* to)
    {
        for (var column = 0; column < b.Columns; column += Transposition.Size)
        {
            var from = b.At(0, column);
            var row = 0;
            for (; row <= b.Rows - Transposition.Size; row += Transposition.Size)
                Transposition.Transpose(from + row, b.ColumnStride, to + row * TileColumns + column, TileColumns);
            for (; row < b.Rows; row++)
            {
                for (var i = 0; i < Transposition.Size; i++) to[row * TileColumns + column + i] = from[row + i * b.ColumnStride];
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PackFewColumns(Matrix b, float* to)
    {
        for (var row = 0; row < b.Rows; row++, to += TileColumns)
        {
            var from = b.At(row, 0);
            var i = 0;
            for (; i < b.Columns; i++) to[i] = from[i * b.ColumnStride];
            for (; i < TileColumns; i++) to[i] = 0;
        }
    }

    /// <summary>c = bias + a b + plus, for six rows of a and one panel of b.</summary>
    /// <param name="a">Six rows, packed or as they lie.</param>
    /// <param name="b">Two vectors of columns, packed.</param>
    /// <param name="depth">Columns of a, rows of b.</param>
    /// <param name="c">The tile's first element.</param>
    /// <param name="stride">From one row of c to the next.</param>
    /// <param name="bias">What each row's sums begin with; null for zeros.</param>
    /// <param name="plus">The first element of what is added at the end, which may be c; null for nothing.</param>
    /// <param name="plusStride">From one row of it to the next.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply(LeftTile a, float* b, int depth, float* c, nint stride, float* bias, float* plus, nint plusStride)
    {
        if (plus is not null) Prefetch(plus, plusStride); // wanted only when the sums are ready
        TVector c00, c01, c10, c11, c20, c21, c30, c31, c40, c41, c50, c51;
        c00 = c10 = c20 = c30 = c40 = c50 = bias is null ? TSimd.Create(0f) : TSimd.Load(bias);
        c01 = c11 = c21 = c31 = c41 = c51 = bias is null ? TSimd.Create(0f) : TSimd.Load(bias + TSimd.Width);
        var left = a.Data;
        if (a.RowStride == 1 && a.ColumnStride == TileRows)
        {
            var end = left + (nint)depth * TileRows;
            for (var last = end - Turn * TileRows; left <= last; left += Turn * TileRows, b += Turn * TileColumns)
            {
                MultiplyAdd(left, 1, b, ref c00, ref c01, ref c10, ref c11, ref c20, ref c21, ref c30, ref c31, ref c40, ref c41, ref c50, ref c51);
                MultiplyAdd(left + TileRows, 1, b + TileColumns, ref c00, ref c01, ref c10, ref c11, ref c20, ref c21, ref c30, ref c31, ref c40, ref c41, ref c50, ref c51);
                MultiplyAdd(left + 2 * TileRows, 1, b + 2 * TileColumns, ref c00, ref c01, ref c10, ref c11, ref c20, ref c21, ref c30, ref c31, ref c40, ref c41, ref c50, ref c51);
                MultiplyAdd(left + 3 * TileRows, 1, b + 3 * TileColumns, ref c00, ref c01, ref c10, ref c11, ref c20, ref c21, ref c30, ref c31, ref c40, ref c41, ref c50, ref c51);
            }

            for (; left < end; left += TileRows, b += TileColumns)
                MultiplyAdd(left, 1, b, ref c00, ref c01, ref c10, ref c11, ref c20, ref c21, ref c30, ref c31, ref c40, ref c41, ref c50, ref c51);
        }
        else
        {
            var (row, column) = (a.RowStride, a.ColumnStride);
            var end = b + (nint)depth * TileColumns;
            for (var last = end - Turn * TileColumns; b <= last; b += Turn * TileColumns)
            {
                MultiplyAdd(left, row, b, ref c00, ref c01, ref c10, ref c11, ref c20, ref c21, ref c30, ref c31, ref c40, ref c41, ref c50, ref c51);
                left += column;
                MultiplyAdd(left, row, b + TileColumns, ref c00, ref c01, ref c10, ref c11, ref c20, ref c21, ref c30, ref c31, ref c40, ref c41, ref c50, ref c51);
                left += column;
                MultiplyAdd(left, row, b + 2 * TileColumns, ref c00, ref c01, ref c10, ref c11, ref c20, ref c21, ref c30, ref c31, ref c40, ref c41, ref c50, ref c51);
                left += column;
                MultiplyAdd(left, row, b + 3 * TileColumns, ref c00, ref c01, ref c10, ref c11, ref c20, ref c21, ref c30, ref c31, ref c40, ref c41, ref c50, ref c51);
                left += column;
            }

            for (; b < end; b += TileColumns, left += column)
                MultiplyAdd(left, row, b, ref c00, ref c01, ref c10, ref c11, ref c20, ref c21, ref c30, ref c31, ref c40, ref c41, ref c50, ref c51);
        }

        Store(c, c00, c01, plus);
        Store(c += stride, c10, c11, plus = Next(plus, plusStride));
        Store(c += stride, c20, c21, plus = Next(plus, plusStride));
        Store(c += stride, c30, c31, plus = Next(plus, plusStride));
        Store(c += stride, c40, c41, plus = Next(plus, plusStride));
        Store(c += stride, c50, c51, Next(plus, plusStride));
    }

    /// <summary>Adds one column of a times one row of b to the sums.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void MultiplyAdd(
        float* a, nint row, float* b, ref TVector c00, ref TVector c01, ref TVector c10, ref TVector c11, ref TVector c20, ref TVector c21,
        ref TVector c30, ref TVector c31, ref TVector c40, ref TVector c41, ref TVector c50, ref TVector c51)
    {
        var b0 = TSimd.Load(b);
        var b1 = TSimd.Load(b + TSimd.Width);
        var x = TSimd.Create(a[0]);
        c00 = TSimd.MultiplyAdd(x, b0, c00);
        c01 = TSimd.MultiplyAdd(x, b1, c01);
        x = TSimd.Create(a[row]);
        c10 = TSimd.MultiplyAdd(x, b0, c10);
        c11 = TSimd.MultiplyAdd(x, b1, c11);
        x = TSimd.Create(a[2 * row]);
        c20 = TSimd.MultiplyAdd(x, b0, c20);
        c21 = TSimd.MultiplyAdd(x, b1, c21);
        x = TSimd.Create(a[3 * row]);
        c30 = TSimd.MultiplyAdd(x, b0, c30);
        c31 = TSimd.MultiplyAdd(x, b1, c31);
        x = TSimd.Create(a[4 * row]);
        c40 = TSimd.MultiplyAdd(x, b0, c40);
        c41 = TSimd.MultiplyAdd(x, b1, c41);
        x = TSimd.Create(a[5 * row]);
        c50 = TSimd.MultiplyAdd(x, b0, c50);
        c51 = TSimd.MultiplyAdd(x, b1, c51);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float* Next(float* plus, nint stride) => plus is null ? null : plus + stride;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(float* to, TVector low, TVector high, float* plus)
    {
        TSimd.Store(plus is null ? low : TSimd.Add(TSimd.Load(plus), low), to);
        TSimd.Store(plus is null ? high : TSimd.Add(TSimd.Load(plus + TSimd.Width), high), to + TSimd.Width);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(float* rows, nint stride)
    {
        for (var row = 0; row < TileRows; row++, rows += stride)
        {
            TSimd.Prefetch((byte*)rows);
            TSimd.Prefetch((byte*)(rows + 2 * TSimd.Width - 1)); // a tile may begin within a line
        }
    }
}
