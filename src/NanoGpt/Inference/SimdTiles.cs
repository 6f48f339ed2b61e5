// Products of many rows with bfloat16 panels: a prompt's. A part of two panels is widened once and serves all rows from the
// first-level cache, three at a time. Few rows, and float32, are SimdProducts'.

using System.Runtime.CompilerServices;
using NanoGpt.Numerics;

namespace NanoGpt.Inference;

/// <summary>destination += a * panels for so many rows that widening the weights first pays.</summary>
/// <remarks>As in <see cref="SimdProducts{TSimd, TVector, TFormat}"/>, each output is one chain of multiply-adds over the columns in order.</remarks>
internal static unsafe class SimdTiles<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    /// <summary>So many rows of a block (96 KB) stay in the second-level cache while the panels pass by.</summary>
    private const int BlockRows = 192;

    /// <summary>Columns of two panels that take 16 KB, widened: half of a first-level cache. A multiple of 4.</summary>
    private static int BlockColumns => 1024 / TSimd.Width;

    private static int PanelWidth => 2 * TSimd.Width;

    /// <summary>See <see cref="PanelKernels.MultiplyAdd"/>.</summary>
    public static void MultiplyAdd(
        float* a, nint aStride, int rows, Panels panels, int panelCount, int columnPairs, float* destination, nint destinationStride)
    {
        var widened = stackalloc float[2 * PanelWidth * BlockColumns];
        for (var row = 0; row < rows; row += BlockRows, a += BlockRows * aStride, destination += BlockRows * destinationStride)
        {
            var rowsHere = Math.Min(BlockRows, rows - row);
            for (var column = 0; column < 2 * columnPairs; column += BlockColumns)
            {
                var columns = Math.Min(BlockColumns, 2 * columnPairs - column);
                for (var panel = 0; panel < panelCount; panel += 2)
                {
                    var part = panels.From(panel, column * PanelWidth * sizeof(ushort));
                    var to = destination + panel * PanelWidth;
                    Widen(part.Data, columns / 2, widened);
                    if (panel + 1 < panelCount)
                    {
                        Widen(part.From(1).Data, columns / 2, widened + BlockColumns * PanelWidth);
                        MultiplyTwo(a + column, aStride, rowsHere, widened, columns, to, destinationStride);
                    }
                    else
                    {
                        MultiplyOne(a + column, aStride, rowsHere, widened, columns, to, destinationStride);
                    }
                }
            }
        }
    }

    private static void MultiplyTwo(float* a, nint aStride, int rows, float* weights, int columns, float* destination, nint destinationStride)
    {
        var row = 0;
        for (; row <= rows - 3; row += 3)
            MultiplyRows<Three>(a + row * aStride, aStride, weights, columns, destination + row * destinationStride, destinationStride);
        if (row == rows - 2)
            MultiplyRows<Two>(a + row * aStride, aStride, weights, columns, destination + row * destinationStride, destinationStride);
        else if (row == rows - 1)
            MultiplyRows<One>(a + row * aStride, aStride, weights, columns, destination + row * destinationStride, destinationStride);
    }

    /// <summary>A last panel without a neighbour.</summary>
    private static void MultiplyOne(float* a, nint aStride, int rows, float* weights, int columns, float* destination, nint destinationStride)
    {
        var panel = new Panels((byte*)weights, 0, Dtype.Float32);
        SimdProducts<TSimd, TVector, Float32Format<TSimd, TVector>>.MultiplyAdd(
            a, aStride, rows, panel, 1, columns / 2, destination, destinationStride);
    }

    /// <summary>[column / 2][output][column % 2] in bfloat16 -> [column][output] in float32</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Widen(byte* panel, int columnPairs, float* to)
    {
        for (var end = panel + columnPairs * BFloat16Format<TSimd, TVector>.PairStride; panel < end; panel += BFloat16Format<TSimd, TVector>.PairStride, to += 2 * PanelWidth)
        {
            TSimd.Store(BFloat16Format<TSimd, TVector>.LoadEven(panel, 0), to);
            TSimd.Store(BFloat16Format<TSimd, TVector>.LoadEven(panel, 1), to + TSimd.Width);
            TSimd.Store(BFloat16Format<TSimd, TVector>.LoadOdd(panel, 0), to + PanelWidth);
            TSimd.Store(BFloat16Format<TSimd, TVector>.LoadOdd(panel, 1), to + PanelWidth + TSimd.Width);
        }
    }

    // Four columns a turn: where another program runs on the core's second thread, instructions are what is scarce. Not inlined: see SimdProducts.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void MultiplyRows<TCount>(float* a, nint aStride, float* weights, int columns, float* destination, nint stride)
        where TCount : struct, IRowCount
    {
        var s0 = new VectorSums<TCount>(destination, stride);
        var s1 = new VectorSums<TCount>(destination + TSimd.Width, stride);
        var s2 = new VectorSums<TCount>(destination + 2 * TSimd.Width, stride);
        var s3 = new VectorSums<TCount>(destination + 3 * TSimd.Width, stride);
        float* a1 = a + aStride, a2 = a1 + aStride, left = weights, right = weights + BlockColumns * PanelWidth;
        nint column = 0;
        for (nint end = columns & ~3; column < end; column += 4, left += 4 * PanelWidth, right += 4 * PanelWidth)
        {
            AddColumn(ref s0, ref s1, ref s2, ref s3, new Numbers<TCount>(a, a1, a2, column, 0), left, right);
            AddColumn(ref s0, ref s1, ref s2, ref s3, new Numbers<TCount>(a, a1, a2, column, 1), left + PanelWidth, right + PanelWidth);
            AddColumn(ref s0, ref s1, ref s2, ref s3, new Numbers<TCount>(a, a1, a2, column, 2), left + 2 * PanelWidth, right + 2 * PanelWidth);
            AddColumn(ref s0, ref s1, ref s2, ref s3, new Numbers<TCount>(a, a1, a2, column, 3), left + 3 * PanelWidth, right + 3 * PanelWidth);
        }

        for (; column < columns; column++, left += PanelWidth, right += PanelWidth)
            AddColumn(ref s0, ref s1, ref s2, ref s3, new Numbers<TCount>(a, a1, a2, column, 0), left, right);
        s0.Store(destination, stride);
        s1.Store(destination + TSimd.Width, stride);
        s2.Store(destination + 2 * TSimd.Width, stride);
        s3.Store(destination + 3 * TSimd.Width, stride);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddColumn<TCount>(
        ref VectorSums<TCount> s0, ref VectorSums<TCount> s1, ref VectorSums<TCount> s2, ref VectorSums<TCount> s3,
        Numbers<TCount> x, float* left, float* right)
        where TCount : struct, IRowCount
    {
        s0.Add(TSimd.Load(left), x);
        s1.Add(TSimd.Load(left + TSimd.Width), x);
        s2.Add(TSimd.Load(right), x);
        s3.Add(TSimd.Load(right + TSimd.Width), x);
    }

    /// <summary>One column's number of each row; the JIT drops rows beyond the count.</summary>
    private readonly struct Numbers<TCount>
        where TCount : struct, IRowCount
    {
        public readonly TVector Row0, Row1, Row2;

        // The constant is added last: so it becomes a part of the instruction.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Numbers(float* row0, float* row1, float* row2, nint first, int column)
        {
            Row0 = TSimd.Create((row0 + first)[column]);
            if (TCount.Value > 1) Row1 = TSimd.Create((row1 + first)[column]);
            if (TCount.Value > 2) Row2 = TSimd.Create((row2 + first)[column]);
        }
    }

    /// <summary>The sums of up to three rows by one vector of outputs.</summary>
    private struct VectorSums<TCount>
        where TCount : struct, IRowCount
    {
        private TVector _row0, _row1, _row2;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public VectorSums(float* destination, nint stride)
        {
            _row0 = TSimd.Load(destination);
            if (TCount.Value > 1) _row1 = TSimd.Load(destination + stride);
            if (TCount.Value > 2) _row2 = TSimd.Load(destination + 2 * stride);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Add(TVector weights, Numbers<TCount> x)
        {
            _row0 = TSimd.MultiplyAdd(weights, x.Row0, _row0);
            if (TCount.Value > 1) _row1 = TSimd.MultiplyAdd(weights, x.Row1, _row1);
            if (TCount.Value > 2) _row2 = TSimd.MultiplyAdd(weights, x.Row2, _row2);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly void Store(float* destination, nint stride)
        {
            TSimd.Store(_row0, destination);
            if (TCount.Value > 1) TSimd.Store(_row1, destination + stride);
            if (TCount.Value > 2) TSimd.Store(_row2, destination + 2 * stride);
        }
    }
}
