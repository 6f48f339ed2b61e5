// Products of a few quantized rows with int8 panels, in blocks of columns that share an activation scale. A block's sum is
// exact in 32 bits; blocks are added up in order, so that here too a row gives the same bits in any batch.

using System.Runtime.CompilerServices;
using NanoGpt.Numerics;

namespace NanoGpt.Inference;

/// <summary>destination += a * panels for int8 weights and int16 activations.</summary>
internal static unsafe class SimdIntegerProducts<TSimd, TVector, TShorts, TIntegers>
    where TSimd : struct, ISimd<TVector>, IIntegerSimd<TVector, TShorts, TIntegers>
    where TVector : struct
    where TShorts : struct
    where TIntegers : struct
{
    private const int BlockPairs = QuantizedRows.BlockColumns / 2;

    /// <summary>Bytes of two columns of a panel.</summary>
    private static int PairStride => 4 * TSimd.Width;

    /// <summary>See <see cref="PanelKernels.MultiplyAddQuantized"/>.</summary>
    public static void MultiplyAdd(
        QuantizedRows a, int rows, QuantizedPanels panels, int panelCount, int columnPairs, float* destination, nint destinationStride)
    {
        var panel = 0;
        if (rows == 1)
        {
            for (; panel <= panelCount - 4; panel += 4)
                OneRowFourPanels(a, panels.From(panel), columnPairs, destination + panel * 2 * TSimd.Width);
        }

        for (; panel < panelCount; panel++)
            MultiplyPanel(a, rows, panels.From(panel), columnPairs, destination + panel * 2 * TSimd.Width, destinationStride);
    }

    private static void MultiplyPanel(
        QuantizedRows a, int rows, QuantizedPanels panel, int columnPairs, float* destination, nint destinationStride)
    {
        // While the rows pass by one panel, the next one is fetched, each group of rows asking for its share.
        var groups = RowGroups.Count(rows);
        for (var pair = 0; pair < columnPairs; pair += BlockPairs)
        {
            var pairs = Math.Min(BlockPairs, columnPairs - pair);
            var block = panel.From(0, (nint)pair * PairStride);
            var ahead = block.Data + panel.Stride;
            for (var row = 0; row < rows; ahead += pairs * PairStride / groups)
            {
                var count = RowGroups.Next(rows - row);
                MultiplyGroup(
                    a.From(row, pair / BlockPairs), count, block, pairs, destination + row * destinationStride, destinationStride,
                    ahead, PairStride / groups);
                row += count;
            }
        }
    }

    private static void MultiplyGroup(
        QuantizedRows a, int rows, QuantizedPanels panel, int pairs, float* destination, nint destinationStride, sbyte* ahead, nint aheadStep)
    {
        switch (rows)
        {
            case 6:
                MultiplyRows<Six>(a, panel, pairs, destination, destinationStride, ahead, aheadStep);
                break;
            case 4:
                MultiplyRows<Four>(a, panel, pairs, destination, destinationStride, ahead, aheadStep);
                break;
            case 2:
                MultiplyRows<Two>(a, panel, pairs, destination, destinationStride, ahead, aheadStep);
                break;
            default:
                MultiplyRows<One>(a, panel, pairs, destination, destinationStride, ahead, aheadStep);
                break;
        }
    }

    // Four streams at once hide latency; the next four panels are fetched meanwhile.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void OneRowFourPanels(QuantizedRows row, QuantizedPanels panels, int columnPairs, float* destination)
    {
        var width = 2 * TSimd.Width;
        sbyte* p0 = panels.Data, p1 = p0 + panels.Stride, p2 = p1 + panels.Stride, p3 = p2 + panels.Stride;
        var ahead = 4 * panels.Stride;
        var a = row.Values;
        var scale = row.Scales;
        for (var pair = 0; pair < columnPairs; pair += BlockPairs)
        {
            PanelSums s0 = default, s1 = default, s2 = default, s3 = default;
            for (var end = a + 2 * Math.Min(BlockPairs, columnPairs - pair); a < end; a += 2)
            {
                // Two columns of a panel are half a cache line or a whole one.
                if (((nint)a & 4) == 0 || PairStride > 32)
                {
                    TSimd.Prefetch((byte*)p0 + ahead);
                    TSimd.Prefetch((byte*)p1 + ahead);
                    TSimd.Prefetch((byte*)p2 + ahead);
                    TSimd.Prefetch((byte*)p3 + ahead);
                }

                var x = TSimd.BroadcastPair(a);
                s0.AddPair(p0, x);
                s1.AddPair(p1, x);
                s2.AddPair(p2, x);
                s3.AddPair(p3, x);
                p0 += PairStride;
                p1 += PairStride;
                p2 += PairStride;
                p3 += PairStride;
            }

            s0.AddTo(destination, *scale, panels.Scales);
            s1.AddTo(destination + width, *scale, panels.Scales + width);
            s2.AddTo(destination + 2 * width, *scale, panels.Scales + 2 * width);
            s3.AddTo(destination + 3 * width, *scale, panels.Scales + 3 * width);
            scale++;
        }
    }

    // The sums stay in registers, and each weight that is loaded serves all rows; two pairs of columns a turn. Not inlined: see SimdProducts.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void MultiplyRows<TCount>(
        QuantizedRows a, QuantizedPanels panel, int pairs, float* destination, nint destinationStride, sbyte* ahead, nint aheadStep)
        where TCount : struct, IRowCount
    {
        var sums = new GroupSums<TCount>(a);
        var weights = panel.Data;
        nint column = 0;
        for (nint end = 2 * (pairs & ~1); column < end; column += 4, weights += 2 * PairStride, ahead += 2 * aheadStep)
        {
            TSimd.Prefetch((byte*)ahead);
            sums.AddPair(weights, column, 0);
            sums.AddPair(weights + PairStride, column, 2);
        }

        if (pairs % 2 != 0) sums.AddPair(weights, column, 0);
        sums.AddTo(destination, destinationStride, a, panel.Scales);
    }

    /// <summary>The sums of one row by one panel.</summary>
    private struct PanelSums
    {
        private TIntegers _first;
        private TIntegers _second;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Add(TShorts weights0, TShorts weights1, TShorts x)
        {
            _first = TSimd.MultiplyAddPairs(weights0, x, _first);
            _second = TSimd.MultiplyAddPairs(weights1, x, _second);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void AddPair(sbyte* pair, TShorts x) => Add(TSimd.LoadWeights(pair), TSimd.LoadWeights(pair + 2 * TSimd.Width), x);

        /// <summary>Adds the sums to the destination, scaled back.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly void AddTo(float* destination, float scale, float* weightScales)
        {
            var width = TSimd.Width;
            var scales = TSimd.Create(scale);
            var first = TSimd.MultiplyAdd(TSimd.ToFloat(_first), TSimd.Multiply(scales, TSimd.Load(weightScales)), TSimd.Load(destination));
            var second = TSimd.MultiplyAdd(TSimd.ToFloat(_second), TSimd.Multiply(scales, TSimd.Load(weightScales + width)), TSimd.Load(destination + width));
            TSimd.Store(first, destination);
            TSimd.Store(second, destination + width);
        }
    }

    /// <summary>A row on its way through a panel.</summary>
    private struct Row
    {
        private readonly short* _values;
        private PanelSums _sums;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Row(short* values)
        {
            _values = values;
            _sums = default;
        }

        // The constant is added last: so it becomes a part of the instruction.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Add(TShorts weights0, TShorts weights1, nint first, int column) =>
            _sums.Add(weights0, weights1, TSimd.BroadcastPair(_values + first + column));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly void AddTo(float* destination, float scale, float* weightScales) => _sums.AddTo(destination, scale, weightScales);
    }

    /// <summary>Up to six rows; the JIT drops those beyond the count, and keeps the rest in registers.</summary>
    private struct GroupSums<TCount>
        where TCount : struct, IRowCount
    {
        private Row _row0, _row1, _row2, _row3, _row4, _row5;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public GroupSums(QuantizedRows a)
        {
            _row0 = new Row(a.Values);
            if (TCount.Value > 1) _row1 = new Row(a.Values + a.Stride);
            if (TCount.Value > 2) _row2 = new Row(a.Values + 2 * a.Stride);
            if (TCount.Value > 2) _row3 = new Row(a.Values + 3 * a.Stride);
            if (TCount.Value > 4) _row4 = new Row(a.Values + 4 * a.Stride);
            if (TCount.Value > 4) _row5 = new Row(a.Values + 5 * a.Stride);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void AddPair(sbyte* pair, nint first, int column)
        {
            var (weights0, weights1) = (TSimd.LoadWeights(pair), TSimd.LoadWeights(pair + 2 * TSimd.Width));
            _row0.Add(weights0, weights1, first, column);
            if (TCount.Value > 1) _row1.Add(weights0, weights1, first, column);
            if (TCount.Value > 2) _row2.Add(weights0, weights1, first, column);
            if (TCount.Value > 2) _row3.Add(weights0, weights1, first, column);
            if (TCount.Value > 4) _row4.Add(weights0, weights1, first, column);
            if (TCount.Value > 4) _row5.Add(weights0, weights1, first, column);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly void AddTo(float* destination, nint stride, QuantizedRows a, float* weightScales)
        {
            _row0.AddTo(destination, a.Scales[0], weightScales);
            if (TCount.Value > 1) _row1.AddTo(destination + stride, a.Scales[a.ScaleStride], weightScales);
            if (TCount.Value > 2) _row2.AddTo(destination + 2 * stride, a.Scales[2 * a.ScaleStride], weightScales);
            if (TCount.Value > 2) _row3.AddTo(destination + 3 * stride, a.Scales[3 * a.ScaleStride], weightScales);
            if (TCount.Value > 4) _row4.AddTo(destination + 4 * stride, a.Scales[4 * a.ScaleStride], weightScales);
            if (TCount.Value > 4) _row5.AddTo(destination + 5 * stride, a.Scales[5 * a.ScaleStride], weightScales);
        }
    }
}
