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
    private const int PrefetchDistance = 1024;

    /// <summary>See <see cref="Kernels.MultiplyAddQuantized"/>.</summary>
    public static void MultiplyAdd(
        QuantizedRows a, int rows, QuantizedPanels panels, int panelCount, int pairs, float* destination, nint destinationStride)
    {
        var width = 2 * TSimd.Width;
        if (rows == 1)
        {
            var single = 0;
            for (; single <= panelCount - 4; single += 4)
                OneRowFourPanels(a.Values, panels.From(single), pairs, *a.Scales, destination + single * width);
            for (; single < panelCount; single++)
                MultiplyPanel(a, 1, panels.From(single), pairs, destination + single * width, destinationStride);
            return;
        }

        for (var p = 0; p < panelCount; p++)
            MultiplyPanel(a, rows, panels.From(p), pairs, destination + p * width, destinationStride);
    }

    private static void MultiplyPanel(
        QuantizedRows a, int rows, QuantizedPanels panel, int pairs, float* destination, nint destinationStride)
    {
        var row = 0;
        for (; row <= rows - 6; row += 6)
            SixRows(a.Values + row * a.Stride, a.Stride, panel.Data, pairs, a.Scales + row * a.ScaleStride, a.ScaleStride, panel.Scales, destination + row * destinationStride, destinationStride);
        for (; row <= rows - 4; row += 4)
            FourRows(a.Values + row * a.Stride, a.Stride, panel.Data, pairs, a.Scales + row * a.ScaleStride, a.ScaleStride, panel.Scales, destination + row * destinationStride, destinationStride);
        for (; row <= rows - 2; row += 2)
            TwoRows(a.Values + row * a.Stride, a.Stride, panel.Data, pairs, a.Scales + row * a.ScaleStride, a.ScaleStride, panel.Scales, destination + row * destinationStride, destinationStride);
        if (row < rows)
            OneRow(a.Values + row * a.Stride, panel.Data, pairs, a.Scales[row * a.ScaleStride], panel.Scales, destination + row * destinationStride);
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
    private static void OneRow(short* a, sbyte* panel, int pairs, float scale, float* weightScales, float* destination)
    {
        var width = TSimd.Width;
        TIntegers s0 = default, t0 = default;
        for (nint k = 0, end = 2 * pairs; k < end; k += 2, panel += 4 * width)
        {
            var x = TSimd.BroadcastPair(a + k);
            s0 = TSimd.MultiplyAddPairs(TSimd.LoadWeights(panel), x, s0);
            t0 = TSimd.MultiplyAddPairs(TSimd.LoadWeights(panel + 2 * width), x, t0);
        }

        Accumulate(s0, t0, scale, weightScales, destination);
    }

    // Four streams at once hide latency; a cache line of each is asked for ahead of time.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void OneRowFourPanels(short* a, QuantizedPanels panels, int pairs, float scale, float* destination)
    {
        var width = TSimd.Width;
        sbyte* p0 = panels.Data, p1 = p0 + panels.Stride, p2 = p1 + panels.Stride, p3 = p2 + panels.Stride;
        TIntegers s0 = default, s1 = default, s2 = default, s3 = default;
        TIntegers t0 = default, t1 = default, t2 = default, t3 = default;
        nint offset = 0;
        for (nint k = 0, end = 2 * pairs; k < end; k += 2, offset += 4 * width)
        {
            if ((offset & 63) == 0)
            {
                TSimd.Prefetch((byte*)p0 + offset + PrefetchDistance);
                TSimd.Prefetch((byte*)p1 + offset + PrefetchDistance);
                TSimd.Prefetch((byte*)p2 + offset + PrefetchDistance);
                TSimd.Prefetch((byte*)p3 + offset + PrefetchDistance);
            }

            var x = TSimd.BroadcastPair(a + k);
            s0 = TSimd.MultiplyAddPairs(TSimd.LoadWeights(p0 + offset), x, s0);
            t0 = TSimd.MultiplyAddPairs(TSimd.LoadWeights(p0 + offset + 2 * width), x, t0);
            s1 = TSimd.MultiplyAddPairs(TSimd.LoadWeights(p1 + offset), x, s1);
            t1 = TSimd.MultiplyAddPairs(TSimd.LoadWeights(p1 + offset + 2 * width), x, t1);
            s2 = TSimd.MultiplyAddPairs(TSimd.LoadWeights(p2 + offset), x, s2);
            t2 = TSimd.MultiplyAddPairs(TSimd.LoadWeights(p2 + offset + 2 * width), x, t2);
            s3 = TSimd.MultiplyAddPairs(TSimd.LoadWeights(p3 + offset), x, s3);
            t3 = TSimd.MultiplyAddPairs(TSimd.LoadWeights(p3 + offset + 2 * width), x, t3);
        }

        Accumulate(s0, t0, scale, panels.Scales, destination);
        Accumulate(s1, t1, scale, panels.Scales + 2 * width, destination + 2 * width);
        Accumulate(s2, t2, scale, panels.Scales + 4 * width, destination + 4 * width);
        Accumulate(s3, t3, scale, panels.Scales + 6 * width, destination + 6 * width);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TwoRows(short* a, nint stride, sbyte* panel, int pairs, float* scales, nint scaleStride, float* weightScales, float* destination, nint destinationStride)
    {
        var width = TSimd.Width;
        short* a1 = a + stride;
        TIntegers s0 = default, t0 = default;
        TIntegers s1 = default, t1 = default;
        for (nint k = 0, end = 2 * pairs; k < end; k += 2, panel += 4 * width)
        {
            var w0 = TSimd.LoadWeights(panel);
            var w1 = TSimd.LoadWeights(panel + 2 * width);
            var x = TSimd.BroadcastPair(a + k);
            s0 = TSimd.MultiplyAddPairs(w0, x, s0);
            t0 = TSimd.MultiplyAddPairs(w1, x, t0);
            x = TSimd.BroadcastPair(a1 + k);
            s1 = TSimd.MultiplyAddPairs(w0, x, s1);
            t1 = TSimd.MultiplyAddPairs(w1, x, t1);
        }

        Accumulate(s0, t0, scales[0], weightScales, destination);
        Accumulate(s1, t1, scales[scaleStride], weightScales, destination + destinationStride);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FourRows(short* a, nint stride, sbyte* panel, int pairs, float* scales, nint scaleStride, float* weightScales, float* destination, nint destinationStride)
    {
        var width = TSimd.Width;
        short* a1 = a + stride, a2 = a1 + stride, a3 = a2 + stride;
        TIntegers s0 = default, t0 = default;
        TIntegers s1 = default, t1 = default;
        TIntegers s2 = default, t2 = default;
        TIntegers s3 = default, t3 = default;
        for (nint k = 0, end = 2 * pairs; k < end; k += 2, panel += 4 * width)
        {
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

        Accumulate(s0, t0, scales[0], weightScales, destination);
        Accumulate(s1, t1, scales[scaleStride], weightScales, destination + destinationStride);
        Accumulate(s2, t2, scales[2 * scaleStride], weightScales, destination + 2 * destinationStride);
        Accumulate(s3, t3, scales[3 * scaleStride], weightScales, destination + 3 * destinationStride);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SixRows(short* a, nint stride, sbyte* panel, int pairs, float* scales, nint scaleStride, float* weightScales, float* destination, nint destinationStride)
    {
        var width = TSimd.Width;
        short* a1 = a + stride, a2 = a1 + stride, a3 = a2 + stride, a4 = a3 + stride, a5 = a4 + stride;
        TIntegers s0 = default, t0 = default;
        TIntegers s1 = default, t1 = default;
        TIntegers s2 = default, t2 = default;
        TIntegers s3 = default, t3 = default;
        TIntegers s4 = default, t4 = default;
        TIntegers s5 = default, t5 = default;
        for (nint k = 0, end = 2 * pairs; k < end; k += 2, panel += 4 * width)
        {
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

        Accumulate(s0, t0, scales[0], weightScales, destination);
        Accumulate(s1, t1, scales[scaleStride], weightScales, destination + destinationStride);
        Accumulate(s2, t2, scales[2 * scaleStride], weightScales, destination + 2 * destinationStride);
        Accumulate(s3, t3, scales[3 * scaleStride], weightScales, destination + 3 * destinationStride);
        Accumulate(s4, t4, scales[4 * scaleStride], weightScales, destination + 4 * destinationStride);
        Accumulate(s5, t5, scales[5 * scaleStride], weightScales, destination + 5 * destinationStride);
    }
}
