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
    // A panel of the right factor (Depth x 16 floats, 16 KB) stays in the first cache, a block of the left one (at most Depth
    // x BlockRows, 120 KB) in the second, and what threads share of the right factor (4 MB) in the third.
    private const int Depth = 256;
    private const int BlockRows = 120;
    private const int SharedDepth = 4 * Depth;
    private const int SharedRoom = 1 << 20;

    // Packing a left factor takes as long as multiplying it by some ten columns: for no more than these it is read as it lies.
    private const int FewColumns = 256;

    // Parts for each thread, so that one that is held up holds up nobody for long.
    private const int PartsOfThread = 4;

    private const int TileRows = ProductKernel<TSimd, TVector>.TileRows;

    private readonly WorkerTeam _team;
    private readonly NativeBuffer _shared;
    private readonly NativeBuffer[] _left, _edge;
    private int _packed;

    public SimdMatrixProduct(WorkerTeam team)
    {
        _team = team;
        _shared = NativeBuffer.OfFloats(SharedRoom);
        _left = Rooms(BlockRows * Depth + Transposition.Size);
        _edge = Rooms((TileRows + 1) * TileColumns);

        NativeBuffer[] Rooms(long floats) => [.. Enumerable.Range(0, team.Size).Select(_ => NativeBuffer.OfFloats(floats))];
    }

    private static int TileColumns => ProductKernel<TSimd, TVector>.TileColumns;

    public override void Multiply(Matrix a, Matrix b, Matrix c, Matrix plus, float* bias)
    {
        var sharedDepth = Math.Min(SharedDepth, a.Columns);
        var sharedColumns = SharedRoom / sharedDepth / TileColumns * TileColumns;
        for (var column = 0; column < c.Columns; column += sharedColumns)
        {
            var columns = Math.Min(sharedColumns, c.Columns - column);
            var sums = c.Part(0, c.Rows, column, columns);
            var rest = plus.Data is null ? plus : plus.Part(0, plus.Rows, column, columns);
            for (var k = 0; k < a.Columns; k += sharedDepth)
            {
                var depth = Math.Min(sharedDepth, a.Columns - k);
                MultiplyShared(a.Part(0, a.Rows, k, depth), b.Part(k, depth, column, columns), sums, k == 0 ? rest : sums, k == 0 && bias is not null ? bias + column : null);
            }
        }
    }

    public override int PackedLength(int rows, int columns) => RoundUp(columns, TileColumns) * rows;

    public override PackedFactor Pack(Matrix b, float* room)
    {
        ProductKernel<TSimd, TVector>.PackRight(b, room);
        return new PackedFactor(room, b.Rows, b.Columns, (nint)TileColumns * b.Rows, TileColumns);
    }

    public override void MultiplyAlone(int worker, Matrix a, PackedFactor b, Matrix c, Matrix plus) =>
        MultiplyRows(worker, a, 0, a.Rows, b, c, plus, null, readsDirectly: true);

    public override void Dispose()
    {
        _shared.Dispose();
        foreach (var room in _left.Concat(_edge)) room.Dispose();
    }

    // The first rounds pack the right factor, the others multiply rows of the left one by it. Rounds are begun in order: who waits
    // for the packing knows that somebody is at it.
    private void MultiplyShared(Matrix a, Matrix b, Matrix c, Matrix plus, float* bias)
    {
        var panels = CeilingDivide(b.Columns, TileColumns);
        var panelsAtATime = CeilingDivide(panels, PartsOfThread * _team.Size);
        var packings = CeilingDivide(panels, panelsAtATime);
        var height = Math.Min(BlockRows, RoundUp(CeilingDivide(a.Rows, PartsOfThread * _team.Size), TileRows));
        var rowParts = CeilingDivide(a.Rows, height);
        var packed = new PackedFactor(_shared.Floats, b.Rows, b.Columns, (nint)TileColumns * b.Rows, TileColumns);
        _packed = 0;
        _team.For(packings + rowParts, (long)c.Rows * c.Columns * a.Columns, (round, worker) =>
        {
            if (round < packings)
            {
                var column = round * panelsAtATime * TileColumns;
                var columns = Math.Min(panelsAtATime * TileColumns, b.Columns - column);
                ProductKernel<TSimd, TVector>.PackRight(b.Part(0, b.Rows, column, columns), _shared.Floats + (nint)column * b.Rows);
                Interlocked.Increment(ref _packed);
                return;
            }

            WaitFor(packings);
            var row = (round - packings) * height;
            MultiplyRows(worker, a, row, Math.Min(height, a.Rows - row), packed, c, plus, bias, readsDirectly: false);
        });
    }

    private void WaitFor(int packings)
    {
        var spinner = default(SpinWait);
        while (Volatile.Read(ref _packed) < packings) spinner.SpinOnce(sleep1Threshold: -1);
    }

    /// <summary>Some rows of a product, by one thread.</summary>
    private void MultiplyRows(int worker, Matrix a, int row, int rows, PackedFactor b, Matrix c, Matrix plus, float* bias, bool readsDirectly)
    {
        float* left = _left[worker].Floats, edge = _edge[worker].Floats;
        for (var k = 0; k < a.Columns; k += Depth)
        {
            var depth = Math.Min(Depth, a.Columns - k);
            var isDirect = a.Rows >= TileRows && (readsDirectly || (a.ColumnStride == 1 && b.Columns <= FewColumns));
            for (var first = row; first < row + rows; first += BlockRows)
            {
                var count = Math.Min(BlockRows, row + rows - first);
                var block = a.Part(first, count, k, depth);
                if (!isDirect) ProductKernel<TSimd, TVector>.PackLeft(block, left);
                var lines = isDirect ? new LeftTile(block.Data, block.RowStride, block.ColumnStride) : new LeftTile(left, 1, TileRows);
                var tileStride = isDirect ? TileRows * block.RowStride : (nint)TileRows * depth;
                MultiplyBlock(lines, tileStride, b.Data + (nint)k * TileColumns, b.PanelStride, depth, c.Part(first, count, 0, c.Columns),
                    plus.Data is null ? plus : plus.Part(first, count, 0, c.Columns), bias, edge, isDirect);
            }

            plus = c;
            bias = null;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MultiplyBlock(
        LeftTile left, nint tileStride, float* right, nint panelStride, int depth, Matrix c, Matrix plus, float* bias, float* edge, bool isDirect)
    {
        for (var column = 0; column < c.Columns; column += TileColumns, right += panelStride)
        {
            var start = bias is null ? null : bias + column;
            var a = left;
            for (var row = 0; row < c.Rows; row += TileRows, a = a.After(tileStride))
            {
                if (row + TileRows <= c.Rows && column + TileColumns <= c.Columns)
                {
                    ProductKernel<TSimd, TVector>.Multiply(
                        a, right, depth, c.At(row, column), c.RowStride, start, plus.Data is null ? null : plus.At(row, column), plus.RowStride);
                }
                else
                {
                    int rows = Math.Min(TileRows, c.Rows - row), columns = Math.Min(TileColumns, c.Columns - column);
                    MultiplyEdge(a, right, depth, c.Part(row, rows, column, columns), plus.Data is null ? plus : plus.Part(row, rows, column, columns), start, edge, isDirect);
                }
            }
        }
    }

    // A tile that hangs over the edge is computed beside the matrix. Rows of a that are not packed end there: it takes those
    // before instead, which are computed once more.
    private static void MultiplyEdge(LeftTile a, float* b, int depth, Matrix c, Matrix plus, float* bias, float* edge, bool isDirect)
    {
        var skip = isDirect ? TileRows - c.Rows : 0;
        a = a.After(-skip * a.RowStride);
        var start = edge + (nint)TileRows * TileColumns;
        if (bias is not null) new Span<float>(bias, c.Columns).CopyTo(new Span<float>(start, c.Columns));
        var tile = new Matrix(edge + (nint)skip * TileColumns, c.Rows, c.Columns, TileColumns, 1);
        if (plus.Data is not null) Copy(plus, tile);
        ProductKernel<TSimd, TVector>.Multiply(a, b, depth, edge, TileColumns, bias is null ? null : start, plus.Data is null ? null : edge, TileColumns);
        Copy(tile, c);

        static void Copy(Matrix from, Matrix to)
        {
            for (var row = 0; row < from.Rows; row++) new Span<float>(from.At(row, 0), from.Columns).CopyTo(new Span<float>(to.At(row, 0), to.Columns));
        }
    }

    private static int CeilingDivide(int a, int b) => (a + b - 1) / b;

    private static int RoundUp(int value, int step) => CeilingDivide(value, step) * step;
}
