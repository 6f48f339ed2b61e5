// Products of a few rows with panels: the innermost loops of everything. Each output is one chain of multiply-adds over
// the columns in order, in every variant, so that a row gives the same bits in any batch.

using System.Runtime.CompilerServices;
using NanoGpt.Numerics;

namespace NanoGpt.Inference;

/// <summary>destination += a * panels for one format of weights.</summary>
internal static unsafe class SimdProducts<TSimd, TVector, TFormat>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TFormat : struct, IPanelFormat<TVector>
{
    /// <summary>Panels are read this far ahead, in bytes, where a single row makes the memory the bottleneck.</summary>
    private const int PrefetchDistance = 1024;

    /// <summary>See <see cref="PanelKernels.MultiplyAdd"/>.</summary>
    public static void MultiplyAdd(
        float* a, nint aStride, int rows, Panels panels, int panelCount, int columnPairs, float* destination, nint destinationStride)
    {
        if (rows == 1)
        {
            OneRow(a, panels, panelCount, columnPairs, destination);
            return;
        }

        for (var p = 0; p < panelCount; p++)
        {
            // While the rows pass by one panel, the next one is fetched, each group of rows asking for its share.
            var panel = panels.From(p);
            var ahead = panel.Data + panels.Stride;
            var share = columnPairs * TFormat.PairStride / RowGroups.Count(rows);
            for (var row = 0; row < rows; ahead += share)
            {
                var count = RowGroups.Next(rows - row);
                MultiplyGroup(
                    a + row * aStride, aStride, count, panel.Data, columnPairs, destination + row * destinationStride, destinationStride,
                    ahead, share / columnPairs);
                row += count;
            }

            destination += 2 * TSimd.Width;
        }
    }

    private static void MultiplyGroup(
        float* a, nint aStride, int rows, byte* panel, int columnPairs, float* destination, nint destinationStride, byte* ahead, nint aheadStep)
    {
        switch (rows)
        {
            case 6:
                MultiplyRows<Six>(a, aStride, panel, columnPairs, destination, destinationStride, ahead, aheadStep);
                break;
            case 4:
                MultiplyRows<Four>(a, aStride, panel, columnPairs, destination, destinationStride, ahead, aheadStep);
                break;
            case 2:
                MultiplyRows<Two>(a, aStride, panel, columnPairs, destination, destinationStride, ahead, aheadStep);
                break;
            default:
                MultiplyRows<One>(a, aStride, panel, columnPairs, destination, destinationStride, ahead, aheadStep);
                break;
        }
    }

    private static void OneRow(float* a, Panels panels, int panelCount, int columnPairs, float* destination)
    {
        var p = 0;
        for (; p <= panelCount - 4; p += 4, destination += 8 * TSimd.Width)
            OneRowFourPanels(a, panels.From(p).Data, panels.Stride, columnPairs, destination);
        for (; p < panelCount; p++, destination += 2 * TSimd.Width)
        {
            var panel = panels.From(p).Data;
            MultiplyRows<One>(a, 0, panel, columnPairs, destination, 0, panel + PrefetchDistance, TFormat.PairStride);
        }
    }

    // Four streams at once hide the latency of the chains.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void OneRowFourPanels(float* a, byte* panel, nint stride, int columnPairs, float* destination)
    {
        var width = 2 * TSimd.Width;
        byte* p0 = panel, p1 = p0 + stride, p2 = p1 + stride, p3 = p2 + stride;
        PanelSums s0 = new(destination), s1 = new(destination + width), s2 = new(destination + 2 * width), s3 = new(destination + 3 * width);
        nint offset = 0;
        for (var end = a + 2 * columnPairs; a < end; a += 2, offset += TFormat.PairStride)
        {
            for (nint line = 0; line < TFormat.PairStride; line += 64)
            {
                TSimd.Prefetch(p0 + offset + line + PrefetchDistance);
                TSimd.Prefetch(p1 + offset + line + PrefetchDistance);
                TSimd.Prefetch(p2 + offset + line + PrefetchDistance);
                TSimd.Prefetch(p3 + offset + line + PrefetchDistance);
            }

            var (even, odd) = (TSimd.Create(a[0]), TSimd.Create(a[1]));
            s0.AddPair(p0 + offset, even, odd);
            s1.AddPair(p1 + offset, even, odd);
            s2.AddPair(p2 + offset, even, odd);
            s3.AddPair(p3 + offset, even, odd);
        }

        s0.Store(destination);
        s1.Store(destination + width);
        s2.Store(destination + 2 * width);
        s3.Store(destination + 3 * width);
    }

    // The sums stay in registers, and each weight that is loaded serves all rows. Four columns a turn: where another program
    // runs on the core's second thread, instructions are what is scarce. Inlined into one method, the four sizes would be more than
    // the JIT keeps in registers.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void MultiplyRows<TCount>(
        float* a, nint aStride, byte* panel, int columnPairs, float* destination, nint destinationStride, byte* ahead, nint aheadStep)
        where TCount : struct, IRowCount
    {
        var sums = new GroupSums<TCount>(a, aStride, destination, destinationStride);
        nint column = 0;
        for (nint end = 2 * (columnPairs & ~1); column < end; column += 4, panel += 2 * TFormat.PairStride, ahead += 2 * aheadStep)
        {
            TSimd.Prefetch(ahead);
            TSimd.Prefetch(ahead + aheadStep);
            sums.AddPair(panel, column);
            sums.AddPair(panel + TFormat.PairStride, column + 2);
        }

        if (columnPairs % 2 != 0) sums.AddPair(panel, column);
        sums.Store(destination, destinationStride);
    }

    /// <summary>The sums of one row by one panel.</summary>
    private struct PanelSums
    {
        private TVector _first;
        private TVector _second;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public PanelSums(float* destination)
        {
            _first = TSimd.Load(destination);
            _second = TSimd.Load(destination + TSimd.Width);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Add(TVector weights0, TVector weights1, TVector x)
        {
            _first = TSimd.MultiplyAdd(weights0, x, _first);
            _second = TSimd.MultiplyAdd(weights1, x, _second);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void AddPair(byte* pair, TVector even, TVector odd)
        {
            Add(TFormat.LoadEven(pair, 0), TFormat.LoadEven(pair, 1), even);
            Add(TFormat.LoadOdd(pair, 0), TFormat.LoadOdd(pair, 1), odd);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly void Store(float* destination)
        {
            TSimd.Store(_first, destination);
            TSimd.Store(_second, destination + TSimd.Width);
        }
    }

    /// <summary>A row on its way through a panel.</summary>
    private struct Row
    {
        private readonly float* _values;
        private PanelSums _sums;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Row(float* values, float* destination)
        {
            _values = values;
            _sums = new PanelSums(destination);
        }

        // The constant is added last: so it becomes a part of the instruction.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Add(TVector weights0, TVector weights1, nint pair, int column) =>
            _sums.Add(weights0, weights1, TSimd.Create((_values + pair)[column]));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly void Store(float* destination) => _sums.Store(destination);
    }

    /// <summary>Up to six rows; the JIT drops those beyond the count, and keeps the rest in registers.</summary>
    private struct GroupSums<TCount>
        where TCount : struct, IRowCount
    {
        private Row _row0, _row1, _row2, _row3, _row4, _row5;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public GroupSums(float* a, nint aStride, float* destination, nint stride)
        {
            _row0 = new Row(a, destination);
            if (TCount.Value > 1) _row1 = new Row(a + aStride, destination + stride);
            if (TCount.Value > 2) _row2 = new Row(a + 2 * aStride, destination + 2 * stride);
            if (TCount.Value > 2) _row3 = new Row(a + 3 * aStride, destination + 3 * stride);
            if (TCount.Value > 4) _row4 = new Row(a + 4 * aStride, destination + 4 * stride);
            if (TCount.Value > 4) _row5 = new Row(a + 5 * aStride, destination + 5 * stride);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void AddPair(byte* panel, nint pair)
        {
            Add(TFormat.LoadEven(panel, 0), TFormat.LoadEven(panel, 1), pair, 0);
            Add(TFormat.LoadOdd(panel, 0), TFormat.LoadOdd(panel, 1), pair, 1);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly void Store(float* destination, nint stride)
        {
            _row0.Store(destination);
            if (TCount.Value > 1) _row1.Store(destination + stride);
            if (TCount.Value > 2) _row2.Store(destination + 2 * stride);
            if (TCount.Value > 2) _row3.Store(destination + 3 * stride);
            if (TCount.Value > 4) _row4.Store(destination + 4 * stride);
            if (TCount.Value > 4) _row5.Store(destination + 5 * stride);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private void Add(TVector weights0, TVector weights1, nint pair, int column)
        {
            _row0.Add(weights0, weights1, pair, column);
            if (TCount.Value > 1) _row1.Add(weights0, weights1, pair, column);
            if (TCount.Value > 2) _row2.Add(weights0, weights1, pair, column);
            if (TCount.Value > 2) _row3.Add(weights0, weights1, pair, column);
            if (TCount.Value > 4) _row4.Add(weights0, weights1, pair, column);
            if (TCount.Value > 4) _row5.Add(weights0, weights1, pair, column);
        }
    }
}
