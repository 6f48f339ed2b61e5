// Matrix products in blocks that fit the caches (Goto and van de Geijn, "Anatomy of high-performance matrix multiplication",
// 2008): parts of both factors are packed, then multiplied tile by tile. Knows no layer and no gradient.

using System.Runtime.CompilerServices;

namespace NanoGpt.Numerics;

/// <summary>The products on vectors of one kind.</summary>
/// <typeparam name="TSimd">The vector operations.</typeparam>
/// <typeparam name="TVector">Their vector.</typeparam>
internal sealed unsafe class SimdMatrixProduct<TSimd, TVector> : MatrixProduct
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    // A panel of the right factor (Depth x 16 floats, 16 KB) stays in the first cache, a block of the left one (Depth x
    // BlockRows, 120 KB) in the second.
    private const int Depth = 256;
    private const int BlockRows = 120;
    private const int BlockColumns = 1536;
    private const int TileRows = ProductKernel<TSimd, TVector>.TileRows;

    private readonly WorkerTeam _team;
    private readonly NativeBuffer[] _left, _right, _edge;

    public SimdMatrixProduct(WorkerTeam team)
    {
        _team = team;
        _left = Rooms(BlockRows * Depth + Transposition.Size);
        _right = Rooms(BlockColumns * Depth);
        _edge = Rooms(TileRows * TileColumns);

        NativeBuffer[] Rooms(long floats) => [.. Enumerable.Range(0, team.Size).Select(_ => NativeBuffer.OfFloats(floats))];
    }

    private static int TileColumns => ProductKernel<TSimd, TVector>.TileColumns;

    public override void Multiply(Matrix a, Matrix b, Matrix c, bool adds)
    {
        var (height, width) = PartSize(c.Rows, c.Columns);
        int rowParts = CeilingDivide(c.Rows, height), columnParts = CeilingDivide(c.Columns, width);
        _team.For(rowParts * columnParts, (long)c.Rows * c.Columns * a.Columns, (part, worker) =>
        {
            int row = part % rowParts * height, column = part / rowParts * width;
            int rows = Math.Min(height, c.Rows - row), columns = Math.Min(width, c.Columns - column);
            MultiplyAlone(worker, a.Part(row, rows, 0, a.Columns), b.Part(0, b.Rows, column, columns), c.Part(row, rows, column, columns), adds);
        });
    }

    public override void MultiplyAlone(int worker, Matrix a, Matrix b, Matrix c, bool adds)
    {
        for (var column = 0; column < c.Columns; column += BlockColumns)
        {
            var columns = Math.Min(BlockColumns, c.Columns - column);
            MultiplyColumns(worker, a, b.Part(0, b.Rows, column, columns), c.Part(0, c.Rows, column, columns), adds);
        }
    }

    public override void Dispose()
    {
        foreach (var room in _left.Concat(_right).Concat(_edge)) room.Dispose();
    }

    /// <summary>The size of the parts that threads share: as many as threads, cut so that the least has to be packed twice.</summary>
    private (int Rows, int Columns) PartSize(int rows, int columns)
    {
        var best = (Rows: 1, Columns: _team.Size);
        for (var rowParts = 1; rowParts <= _team.Size; rowParts++)
        {
            // The left factor is packed once for each part of the columns, the right one once for each part of the rows.
            if (_team.Size % rowParts == 0 && Packed(rowParts, _team.Size / rowParts) < Packed(best.Rows, best.Columns)) best = (rowParts, _team.Size / rowParts);
        }

        return (RoundUp(CeilingDivide(rows, best.Rows), TileRows), Math.Min(BlockColumns, RoundUp(CeilingDivide(columns, best.Columns), TileColumns)));

        long Packed(int rowParts, int columnParts) => (long)rows * columnParts + (long)columns * rowParts;
    }

    private void MultiplyColumns(int worker, Matrix a, Matrix b, Matrix c, bool adds)
    {
        float* left = _left[worker].Floats, right = _right[worker].Floats;
        for (var k = 0; k < a.Columns; k += Depth, adds = true)
        {
            var depth = Math.Min(Depth, a.Columns - k);
            ProductKernel<TSimd, TVector>.PackRight(b.Part(k, depth, 0, b.Columns), right);
            for (var row = 0; row < a.Rows; row += BlockRows)
            {
                var rows = Math.Min(BlockRows, a.Rows - row);
                ProductKernel<TSimd, TVector>.PackLeft(a.Part(row, rows, k, depth), left);
                MultiplyBlock(left, right, depth, c.Part(row, rows, 0, c.Columns), adds, _edge[worker].Floats);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MultiplyBlock(float* left, float* right, int depth, Matrix c, bool adds, float* edge)
    {
        for (var column = 0; column < c.Columns; column += TileColumns, right += (nint)TileColumns * depth)
        {
            var a = left;
            for (var row = 0; row < c.Rows; row += TileRows, a += (nint)TileRows * depth)
            {
                if (row + TileRows <= c.Rows && column + TileColumns <= c.Columns)
                    ProductKernel<TSimd, TVector>.Multiply(a, right, depth, c.At(row, column), c.RowStride, adds);
                else
                    MultiplyEdge(a, right, depth, c.Part(row, Math.Min(TileRows, c.Rows - row), column, Math.Min(TileColumns, c.Columns - column)), adds, edge);
            }
        }
    }

    // A tile that hangs over the edge is computed beside the matrix.
    private static void MultiplyEdge(float* a, float* b, int depth, Matrix c, bool adds, float* edge)
    {
        if (adds) Copy(c, new Matrix(edge, c.Rows, c.Columns, TileColumns, 1));
        ProductKernel<TSimd, TVector>.Multiply(a, b, depth, edge, TileColumns, adds);
        Copy(new Matrix(edge, c.Rows, c.Columns, TileColumns, 1), c);

        static void Copy(Matrix from, Matrix to)
        {
            for (var row = 0; row < from.Rows; row++) new Span<float>(from.At(row, 0), from.Columns).CopyTo(new Span<float>(to.At(row, 0), to.Columns));
        }
    }

    private static int CeilingDivide(int a, int b) => (a + b - 1) / b;

    private static int RoundUp(int value, int step) => CeilingDivide(value, step) * step;
}
