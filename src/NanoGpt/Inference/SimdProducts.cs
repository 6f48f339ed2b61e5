// Products of a few rows with panels: the innermost loops of everything. Each output is one chain of multiply-adds over
// the columns in order, in every variant, so that a row gives the same bits in any batch.

using System.Runtime.CompilerServices;

namespace NanoGpt.Inference;

/// <summary>destination += a * panels for one format of weights.</summary>
internal static unsafe class SimdProducts<TSimd, TVector, TFormat>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TFormat : struct, IPanelFormat<TVector>
{
    /// <summary>Panels are read this far ahead, in bytes, where a single row makes the memory the bottleneck.</summary>
    private const int PrefetchDistance = 1024;

    /// <summary>See <see cref="Kernels.MultiplyAdd"/>.</summary>
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
        float* a, nint stride, int rows, byte* panel, int columnPairs, float* destination, nint destinationStride, byte* ahead, nint aheadStep)
    {
        switch (rows)
        {
            case 6:
                SixRows(a, stride, panel, columnPairs, destination, destinationStride, ahead, aheadStep);
                break;
            case 4:
                FourRows(a, stride, panel, columnPairs, destination, destinationStride, ahead, aheadStep);
                break;
            case 2:
                TwoRows(a, stride, panel, columnPairs, destination, destinationStride, ahead, aheadStep);
                break;
            default:
                OneRowOnePanel(a, panel, columnPairs, destination);
                break;
        }
    }

    private static void OneRow(float* a, Panels panels, int panelCount, int columnPairs, float* destination)
    {
        var width = 2 * TSimd.Width;
        var p = 0;
        for (; p <= panelCount - 4; p += 4)
            OneRowFourPanels(a, panels.Data + p * panels.Stride, panels.Stride, columnPairs, destination + p * width);
        for (; p < panelCount; p++)
            OneRowOnePanel(a, panels.Data + p * panels.Stride, columnPairs, destination + p * width);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void OneRowOnePanel(float* a, byte* panel, int columnPairs, float* destination)
    {
        var s0 = TSimd.Load(destination);
        var s1 = TSimd.Load(destination + TSimd.Width);
        for (var end = a + 2 * columnPairs; a < end; a += 2, panel += TFormat.PairStride)
        {
            var x = TSimd.Create(a[0]);
            s0 = TSimd.MultiplyAdd(TFormat.LoadEven(panel, 0), x, s0);
            s1 = TSimd.MultiplyAdd(TFormat.LoadEven(panel, 1), x, s1);
            x = TSimd.Create(a[1]);
            s0 = TSimd.MultiplyAdd(TFormat.LoadOdd(panel, 0), x, s0);
            s1 = TSimd.MultiplyAdd(TFormat.LoadOdd(panel, 1), x, s1);
        }

        TSimd.Store(s0, destination);
        TSimd.Store(s1, destination + TSimd.Width);
    }

    // Four streams at once hide the latency of the chains.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void OneRowFourPanels(float* a, byte* panel, nint stride, int columnPairs, float* destination)
    {
        var width = TSimd.Width;
        byte* p0 = panel, p1 = p0 + stride, p2 = p1 + stride, p3 = p2 + stride;
        var s0 = TSimd.Load(destination);
        var s1 = TSimd.Load(destination + width);
        var s2 = TSimd.Load(destination + 2 * width);
        var s3 = TSimd.Load(destination + 3 * width);
        var s4 = TSimd.Load(destination + 4 * width);
        var s5 = TSimd.Load(destination + 5 * width);
        var s6 = TSimd.Load(destination + 6 * width);
        var s7 = TSimd.Load(destination + 7 * width);
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

            var x = TSimd.Create(a[0]);
            s0 = TSimd.MultiplyAdd(TFormat.LoadEven(p0 + offset, 0), x, s0);
            s1 = TSimd.MultiplyAdd(TFormat.LoadEven(p0 + offset, 1), x, s1);
            s2 = TSimd.MultiplyAdd(TFormat.LoadEven(p1 + offset, 0), x, s2);
            s3 = TSimd.MultiplyAdd(TFormat.LoadEven(p1 + offset, 1), x, s3);
            s4 = TSimd.MultiplyAdd(TFormat.LoadEven(p2 + offset, 0), x, s4);
            s5 = TSimd.MultiplyAdd(TFormat.LoadEven(p2 + offset, 1), x, s5);
            s6 = TSimd.MultiplyAdd(TFormat.LoadEven(p3 + offset, 0), x, s6);
            s7 = TSimd.MultiplyAdd(TFormat.LoadEven(p3 + offset, 1), x, s7);
            x = TSimd.Create(a[1]);
            s0 = TSimd.MultiplyAdd(TFormat.LoadOdd(p0 + offset, 0), x, s0);
            s1 = TSimd.MultiplyAdd(TFormat.LoadOdd(p0 + offset, 1), x, s1);
            s2 = TSimd.MultiplyAdd(TFormat.LoadOdd(p1 + offset, 0), x, s2);
            s3 = TSimd.MultiplyAdd(TFormat.LoadOdd(p1 + offset, 1), x, s3);
            s4 = TSimd.MultiplyAdd(TFormat.LoadOdd(p2 + offset, 0), x, s4);
            s5 = TSimd.MultiplyAdd(TFormat.LoadOdd(p2 + offset, 1), x, s5);
            s6 = TSimd.MultiplyAdd(TFormat.LoadOdd(p3 + offset, 0), x, s6);
            s7 = TSimd.MultiplyAdd(TFormat.LoadOdd(p3 + offset, 1), x, s7);
        }

        TSimd.Store(s0, destination);
        TSimd.Store(s1, destination + width);
        TSimd.Store(s2, destination + 2 * width);
        TSimd.Store(s3, destination + 3 * width);
        TSimd.Store(s4, destination + 4 * width);
        TSimd.Store(s5, destination + 5 * width);
        TSimd.Store(s6, destination + 6 * width);
        TSimd.Store(s7, destination + 7 * width);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TwoRows(float* a, nint stride, byte* panel, int columnPairs, float* destination, nint destinationStride, byte* ahead, nint aheadStep)
    {
        var width = TSimd.Width;
        float* a1 = a + stride;
        float* d1 = destination + destinationStride;
        TVector s0 = TSimd.Load(destination), t0 = TSimd.Load(destination + width);
        TVector s1 = TSimd.Load(d1), t1 = TSimd.Load(d1 + width);
        for (nint k = 0, end = 2 * columnPairs; k < end; k += 2, panel += TFormat.PairStride, ahead += aheadStep)
        {
            TSimd.Prefetch(ahead);
            TSimd.Prefetch(ahead + aheadStep / 2);
            var w0 = TFormat.LoadEven(panel, 0);
            var w1 = TFormat.LoadEven(panel, 1);
            var x = TSimd.Create(a[k]);
            s0 = TSimd.MultiplyAdd(w0, x, s0);
            t0 = TSimd.MultiplyAdd(w1, x, t0);
            x = TSimd.Create(a1[k]);
            s1 = TSimd.MultiplyAdd(w0, x, s1);
            t1 = TSimd.MultiplyAdd(w1, x, t1);

            w0 = TFormat.LoadOdd(panel, 0);
            w1 = TFormat.LoadOdd(panel, 1);
            x = TSimd.Create(a[k + 1]);
            s0 = TSimd.MultiplyAdd(w0, x, s0);
            t0 = TSimd.MultiplyAdd(w1, x, t0);
            x = TSimd.Create(a1[k + 1]);
            s1 = TSimd.MultiplyAdd(w0, x, s1);
            t1 = TSimd.MultiplyAdd(w1, x, t1);
        }

        TSimd.Store(s0, destination);
        TSimd.Store(t0, destination + width);
        TSimd.Store(s1, d1);
        TSimd.Store(t1, d1 + width);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FourRows(float* a, nint stride, byte* panel, int columnPairs, float* destination, nint destinationStride, byte* ahead, nint aheadStep)
    {
        var width = TSimd.Width;
        float* a1 = a + stride, a2 = a1 + stride, a3 = a2 + stride;
        float* d1 = destination + destinationStride, d2 = d1 + destinationStride, d3 = d2 + destinationStride;
        TVector s0 = TSimd.Load(destination), t0 = TSimd.Load(destination + width);
        TVector s1 = TSimd.Load(d1), t1 = TSimd.Load(d1 + width);
        TVector s2 = TSimd.Load(d2), t2 = TSimd.Load(d2 + width);
        TVector s3 = TSimd.Load(d3), t3 = TSimd.Load(d3 + width);
        for (nint k = 0, end = 2 * columnPairs; k < end; k += 2, panel += TFormat.PairStride, ahead += aheadStep)
        {
            TSimd.Prefetch(ahead);
            TSimd.Prefetch(ahead + aheadStep / 2);
            var w0 = TFormat.LoadEven(panel, 0);
            var w1 = TFormat.LoadEven(panel, 1);
            var x = TSimd.Create(a[k]);
            s0 = TSimd.MultiplyAdd(w0, x, s0);
            t0 = TSimd.MultiplyAdd(w1, x, t0);
            x = TSimd.Create(a1[k]);
            s1 = TSimd.MultiplyAdd(w0, x, s1);
            t1 = TSimd.MultiplyAdd(w1, x, t1);
            x = TSimd.Create(a2[k]);
            s2 = TSimd.MultiplyAdd(w0, x, s2);
            t2 = TSimd.MultiplyAdd(w1, x, t2);
            x = TSimd.Create(a3[k]);
            s3 = TSimd.MultiplyAdd(w0, x, s3);
            t3 = TSimd.MultiplyAdd(w1, x, t3);

            w0 = TFormat.LoadOdd(panel, 0);
            w1 = TFormat.LoadOdd(panel, 1);
            x = TSimd.Create(a[k + 1]);
            s0 = TSimd.MultiplyAdd(w0, x, s0);
            t0 = TSimd.MultiplyAdd(w1, x, t0);
            x = TSimd.Create(a1[k + 1]);
            s1 = TSimd.MultiplyAdd(w0, x, s1);
            t1 = TSimd.MultiplyAdd(w1, x, t1);
            x = TSimd.Create(a2[k + 1]);
            s2 = TSimd.MultiplyAdd(w0, x, s2);
            t2 = TSimd.MultiplyAdd(w1, x, t2);
            x = TSimd.Create(a3[k + 1]);
            s3 = TSimd.MultiplyAdd(w0, x, s3);
            t3 = TSimd.MultiplyAdd(w1, x, t3);
        }

        TSimd.Store(s0, destination);
        TSimd.Store(t0, destination + width);
        TSimd.Store(s1, d1);
        TSimd.Store(t1, d1 + width);
        TSimd.Store(s2, d2);
        TSimd.Store(t2, d2 + width);
        TSimd.Store(s3, d3);
        TSimd.Store(t3, d3 + width);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SixRows(float* a, nint stride, byte* panel, int columnPairs, float* destination, nint destinationStride, byte* ahead, nint aheadStep)
    {
        var width = TSimd.Width;
        float* a1 = a + stride, a2 = a1 + stride, a3 = a2 + stride, a4 = a3 + stride, a5 = a4 + stride;
        float* d1 = destination + destinationStride, d2 = d1 + destinationStride, d3 = d2 + destinationStride, d4 = d3 + destinationStride, d5 = d4 + destinationStride;
        TVector s0 = TSimd.Load(destination), t0 = TSimd.Load(destination + width);
        TVector s1 = TSimd.Load(d1), t1 = TSimd.Load(d1 + width);
        TVector s2 = TSimd.Load(d2), t2 = TSimd.Load(d2 + width);
        TVector s3 = TSimd.Load(d3), t3 = TSimd.Load(d3 + width);
        TVector s4 = TSimd.Load(d4), t4 = TSimd.Load(d4 + width);
        TVector s5 = TSimd.Load(d5), t5 = TSimd.Load(d5 + width);
        for (nint k = 0, end = 2 * columnPairs; k < end; k += 2, panel += TFormat.PairStride, ahead += aheadStep)
        {
            TSimd.Prefetch(ahead);
            TSimd.Prefetch(ahead + aheadStep / 2);
            var w0 = TFormat.LoadEven(panel, 0);
            var w1 = TFormat.LoadEven(panel, 1);
            var x = TSimd.Create(a[k]);
            s0 = TSimd.MultiplyAdd(w0, x, s0);
            t0 = TSimd.MultiplyAdd(w1, x, t0);
            x = TSimd.Create(a1[k]);
            s1 = TSimd.MultiplyAdd(w0, x, s1);
            t1 = TSimd.MultiplyAdd(w1, x, t1);
            x = TSimd.Create(a2[k]);
            s2 = TSimd.MultiplyAdd(w0, x, s2);
            t2 = TSimd.MultiplyAdd(w1, x, t2);
            x = TSimd.Create(a3[k]);
            s3 = TSimd.MultiplyAdd(w0, x, s3);
            t3 = TSimd.MultiplyAdd(w1, x, t3);
            x = TSimd.Create(a4[k]);
            s4 = TSimd.MultiplyAdd(w0, x, s4);
            t4 = TSimd.MultiplyAdd(w1, x, t4);
            x = TSimd.Create(a5[k]);
            s5 = TSimd.MultiplyAdd(w0, x, s5);
            t5 = TSimd.MultiplyAdd(w1, x, t5);

            w0 = TFormat.LoadOdd(panel, 0);
            w1 = TFormat.LoadOdd(panel, 1);
            x = TSimd.Create(a[k + 1]);
            s0 = TSimd.MultiplyAdd(w0, x, s0);
            t0 = TSimd.MultiplyAdd(w1, x, t0);
            x = TSimd.Create(a1[k + 1]);
            s1 = TSimd.MultiplyAdd(w0, x, s1);
            t1 = TSimd.MultiplyAdd(w1, x, t1);
            x = TSimd.Create(a2[k + 1]);
            s2 = TSimd.MultiplyAdd(w0, x, s2);
            t2 = TSimd.MultiplyAdd(w1, x, t2);
            x = TSimd.Create(a3[k + 1]);
            s3 = TSimd.MultiplyAdd(w0, x, s3);
            t3 = TSimd.MultiplyAdd(w1, x, t3);
            x = TSimd.Create(a4[k + 1]);
            s4 = TSimd.MultiplyAdd(w0, x, s4);
            t4 = TSimd.MultiplyAdd(w1, x, t4);
            x = TSimd.Create(a5[k + 1]);
            s5 = TSimd.MultiplyAdd(w0, x, s5);
            t5 = TSimd.MultiplyAdd(w1, x, t5);
        }

        TSimd.Store(s0, destination);
        TSimd.Store(t0, destination + width);
        TSimd.Store(s1, d1);
        TSimd.Store(t1, d1 + width);
        TSimd.Store(s2, d2);
        TSimd.Store(t2, d2 + width);
        TSimd.Store(s3, d3);
        TSimd.Store(t3, d3 + width);
        TSimd.Store(s4, d4);
        TSimd.Store(t4, d4 + width);
        TSimd.Store(s5, d5);
        TSimd.Store(t5, d5 + width);
    }
}
