// Products of a few quantized rows with int8 panels, in blocks of columns that share an activation scale. A block's sum is
// exact in 32 bits; blocks are added up in order, so that here too a row gives the same bits in any batch.

using System.Runtime.CompilerServices;

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

    /// <summary>See <see cref="Kernels.MultiplyAddQuantized"/>.</summary>
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
                SixRows(a, panel, pairs, destination, destinationStride, ahead, aheadStep);
                break;
            case 4:
                FourRows(a, panel, pairs, destination, destinationStride, ahead, aheadStep);
                break;
            case 2:
                TwoRows(a, panel, pairs, destination, destinationStride, ahead, aheadStep);
                break;
            default:
                OneRow(a, panel, pairs, destination, ahead, aheadStep);
                break;
        }
    }

    /// <summary>Adds the sums of one row and panel, scaled back.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Accumulate(TIntegers sum0, TIntegers sum1, float scale, float* weightScales, float* destination)
    {
        var scales = TSimd.Create(scale);
        var width = TSimd.Width;
        var first = TSimd.MultiplyAdd(TSimd.ToFloat(sum0), TSimd.Multiply(scales, TSimd.Load(weightScales)), TSimd.Load(destination));
        var second = TSimd.MultiplyAdd(TSimd.ToFloat(sum1), TSimd.Multiply(scales, TSimd.Load(weightScales + width)), TSimd.Load(destination + width));
        TSimd.Store(first, destination);
        TSimd.Store(second, destination + width);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void OneRow(QuantizedRows rows, QuantizedPanels panels, int pairs, float* destination, sbyte* ahead, nint aheadStep)
    {
        var width = TSimd.Width;
        var panel = panels.Data;
        var a = rows.Values;
        TIntegers s0 = default, t0 = default;
        for (nint k = 0, end = 2 * pairs; k < end; k += 2, panel += 4 * width, ahead += aheadStep)
        {
            TSimd.Prefetch((byte*)ahead);
            var x = TSimd.BroadcastPair(a + k);
            s0 = TSimd.MultiplyAddPairs(TSimd.LoadWeights(panel), x, s0);
            t0 = TSimd.MultiplyAddPairs(TSimd.LoadWeights(panel + 2 * width), x, t0);
        }

        Accumulate(s0, t0, *rows.Scales, panels.Scales, destination);
    }

    // Four streams at once hide latency; the next four panels are fetched meanwhile.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void OneRowFourPanels(QuantizedRows row, QuantizedPanels panels, int columnPairs, float* destination)
    {
        var width = TSimd.Width;
        sbyte* p0 = panels.Data, p1 = p0 + panels.Stride, p2 = p1 + panels.Stride, p3 = p2 + panels.Stride;
        var ahead = 4 * panels.Stride;
        var a = row.Values;
        var scale = row.Scales;
        for (var pair = 0; pair < columnPairs; pair += BlockPairs)
        {
            TIntegers s0 = default, s1 = default, s2 = default, s3 = default;
            TIntegers t0 = default, t1 = default, t2 = default, t3 = default;
            for (var end = a + 2 * Math.Min(BlockPairs, columnPairs - pair); a < end; a += 2)
            {
                // Two columns of a panel are half a cache line or a whole one.
                if (((nint)a & 4) == 0 || width > 8)
                {
                    TSimd.Prefetch((byte*)p0 + ahead);
                    TSimd.Prefetch((byte*)p1 + ahead);
                    TSimd.Prefetch((byte*)p2 + ahead);
                    TSimd.Prefetch((byte*)p3 + ahead);
                }

                var x = TSimd.BroadcastPair(a);
                s0 = TSimd.MultiplyAddPairs(TSimd.LoadWeights(p0), x, s0);
                t0 = TSimd.MultiplyAddPairs(TSimd.LoadWeights(p0 + 2 * width), x, t0);
                s1 = TSimd.MultiplyAddPairs(TSimd.LoadWeights(p1), x, s1);
                t1 = TSimd.MultiplyAddPairs(TSimd.LoadWeights(p1 + 2 * width), x, t1);
                s2 = TSimd.MultiplyAddPairs(TSimd.LoadWeights(p2), x, s2);
                t2 = TSimd.MultiplyAddPairs(TSimd.LoadWeights(p2 + 2 * width), x, t2);
                s3 = TSimd.MultiplyAddPairs(TSimd.LoadWeights(p3), x, s3);
                t3 = TSimd.MultiplyAddPairs(TSimd.LoadWeights(p3 + 2 * width), x, t3);
                p0 += 4 * width;
                p1 += 4 * width;
                p2 += 4 * width;
                p3 += 4 * width;
            }

            Accumulate(s0, t0, *scale, panels.Scales, destination);
            Accumulate(s1, t1, *scale, panels.Scales + 2 * width, destination + 2 * width);
            Accumulate(s2, t2, *scale, panels.Scales + 4 * width, destination + 4 * width);
            Accumulate(s3, t3, *scale, panels.Scales + 6 * width, destination + 6 * width);
            scale++;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TwoRows(
        QuantizedRows rows, QuantizedPanels panels, int pairs, float* destination, nint destinationStride, sbyte* ahead, nint aheadStep)
    {
        var width = TSimd.Width;
        var panel = panels.Data;
        var stride = rows.Stride;
        var a = rows.Values;
        short* a1 = a + stride;
        TIntegers s0 = default, t0 = default;
        TIntegers s1 = default, t1 = default;
        for (nint k = 0, end = 2 * pairs; k < end; k += 2, panel += 4 * width, ahead += aheadStep)
        {
            TSimd.Prefetch((byte*)ahead);
            var w0 = TSimd.LoadWeights(panel);
            var w1 = TSimd.LoadWeights(panel + 2 * width);
            var x = TSimd.BroadcastPair(a + k);
            s0 = TSimd.MultiplyAddPairs(w0, x, s0);
            t0 = TSimd.MultiplyAddPairs(w1, x, t0);
            x = TSimd.BroadcastPair(a1 + k);
            s1 = TSimd.MultiplyAddPairs(w0, x, s1);
            t1 = TSimd.MultiplyAddPairs(w1, x, t1);
        }

        Accumulate(s0, t0, rows.Scales[0], panels.Scales, destination);
        Accumulate(s1, t1, rows.Scales[rows.ScaleStride], panels.Scales, destination + destinationStride);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FourRows(
        QuantizedRows rows, QuantizedPanels panels, int pairs, float* destination, nint destinationStride, sbyte* ahead, nint aheadStep)
    {
        var width = TSimd.Width;
        var panel = panels.Data;
        var stride = rows.Stride;
        var a = rows.Values;
        short* a1 = a + stride, a2 = a1 + stride, a3 = a2 + stride;
        TIntegers s0 = default, t0 = default;
        TIntegers s1 = default, t1 = default;
        TIntegers s2 = default, t2 = default;
        TIntegers s3 = default, t3 = default;
        for (nint k = 0, end = 2 * pairs; k < end; k += 2, panel += 4 * width, ahead += aheadStep)
        {
            TSimd.Prefetch((byte*)ahead);
            var w0 = TSimd.LoadWeights(panel);
            var w1 = TSimd.LoadWeights(panel + 2 * width);
            var x = TSimd.BroadcastPair(a + k);
            s0 = TSimd.MultiplyAddPairs(w0, x, s0);
            t0 = TSimd.MultiplyAddPairs(w1, x, t0);
            x = TSimd.BroadcastPair(a1 + k);
            s1 = TSimd.MultiplyAddPairs(w0, x, s1);
            t1 = TSimd.MultiplyAddPairs(w1, x, t1);
            x = TSimd.BroadcastPair(a2 + k);
            s2 = TSimd.MultiplyAddPairs(w0, x, s2);
            t2 = TSimd.MultiplyAddPairs(w1, x, t2);
            x = TSimd.BroadcastPair(a3 + k);
            s3 = TSimd.MultiplyAddPairs(w0, x, s3);
            t3 = TSimd.MultiplyAddPairs(w1, x, t3);
        }

        Accumulate(s0, t0, rows.Scales[0], panels.Scales, destination);
        Accumulate(s1, t1, rows.Scales[rows.ScaleStride], panels.Scales, destination + destinationStride);
        Accumulate(s2, t2, rows.Scales[2 * rows.ScaleStride], panels.Scales, destination + 2 * destinationStride);
        Accumulate(s3, t3, rows.Scales[3 * rows.ScaleStride], panels.Scales, destination + 3 * destinationStride);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SixRows(
        QuantizedRows rows, QuantizedPanels panels, int pairs, float* destination, nint destinationStride, sbyte* ahead, nint aheadStep)
    {
        var width = TSimd.Width;
        var panel = panels.Data;
        var stride = rows.Stride;
        var a = rows.Values;
        short* a1 = a + stride, a2 = a1 + stride, a3 = a2 + stride, a4 = a3 + stride, a5 = a4 + stride;
        TIntegers s0 = default, t0 = default;
        TIntegers s1 = default, t1 = default;
        TIntegers s2 = default, t2 = default;
        TIntegers s3 = default, t3 = default;
        TIntegers s4 = default, t4 = default;
        TIntegers s5 = default, t5 = default;
        for (nint k = 0, end = 2 * pairs; k < end; k += 2, panel += 4 * width, ahead += aheadStep)
        {
            TSimd.Prefetch((byte*)ahead);
            var w0 = TSimd.LoadWeights(panel);
            var w1 = TSimd.LoadWeights(panel + 2 * width);
            var x = TSimd.BroadcastPair(a + k);
            s0 = TSimd.MultiplyAddPairs(w0, x, s0);
            t0 = TSimd.MultiplyAddPairs(w1, x, t0);
            x = TSimd.BroadcastPair(a1 + k);
            s1 = TSimd.MultiplyAddPairs(w0, x, s1);
            t1 = TSimd.MultiplyAddPairs(w1, x, t1);
            x = TSimd.BroadcastPair(a2 + k);
            s2 = TSimd.MultiplyAddPairs(w0, x, s2);
            t2 = TSimd.MultiplyAddPairs(w1, x, t2);
            x = TSimd.BroadcastPair(a3 + k);
            s3 = TSimd.MultiplyAddPairs(w0, x, s3);
            t3 = TSimd.MultiplyAddPairs(w1, x, t3);
            x = TSimd.BroadcastPair(a4 + k);
            s4 = TSimd.MultiplyAddPairs(w0, x, s4);
            t4 = TSimd.MultiplyAddPairs(w1, x, t4);
            x = TSimd.BroadcastPair(a5 + k);
            s5 = TSimd.MultiplyAddPairs(w0, x, s5);
            t5 = TSimd.MultiplyAddPairs(w1, x, t5);
        }

        Accumulate(s0, t0, rows.Scales[0], panels.Scales, destination);
        Accumulate(s1, t1, rows.Scales[rows.ScaleStride], panels.Scales, destination + destinationStride);
        Accumulate(s2, t2, rows.Scales[2 * rows.ScaleStride], panels.Scales, destination + 2 * destinationStride);
        Accumulate(s3, t3, rows.Scales[3 * rows.ScaleStride], panels.Scales, destination + 3 * destinationStride);
        Accumulate(s4, t4, rows.Scales[4 * rows.ScaleStride], panels.Scales, destination + 4 * destinationStride);
        Accumulate(s5, t5, rows.Scales[5 * rows.ScaleStride], panels.Scales, destination + 5 * destinationStride);
    }
}
