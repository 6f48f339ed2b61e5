// The engine's kernels, written once over ISimd. The products are in SimdProducts.cs and SimdIntegerProducts.cs.

using System.Runtime.CompilerServices;
using NanoGpt.Numerics;

namespace NanoGpt.Inference;

/// <summary>The engine's arithmetic on vectors of one kind.</summary>
/// <param name="rowKernels">The same vectors' arithmetic of rows.</param>
internal sealed unsafe class SimdPanelKernels<TSimd, TVector, TShorts, TIntegers>(RowKernels rowKernels) : PanelKernels
    where TSimd : struct, ISimd<TVector>, IIntegerSimd<TVector, TShorts, TIntegers>
    where TVector : struct
    where TShorts : struct
    where TIntegers : struct
{
    public override RowKernels Rows => rowKernels;

    public override int PanelWidth => 2 * TSimd.Width;

    public override void MultiplyAdd(
        float* a, nint aStride, int rows, Panels panels, int panelCount, int columnPairs, float* destination, nint destinationStride)
    {
        switch (panels.Precision)
        {
            case Dtype.Float32:
                SimdProducts<TSimd, TVector, Float32Format<TSimd, TVector>>.MultiplyAdd(
                    a, aStride, rows, panels, panelCount, columnPairs, destination, destinationStride);
                break;
            case Dtype.BFloat16:
                SimdProducts<TSimd, TVector, BFloat16Format<TSimd, TVector>>.MultiplyAdd(
                    a, aStride, rows, panels, panelCount, columnPairs, destination, destinationStride);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(panels), panels.Precision, "Float kernels multiply float weights.");
        }
    }

    public override void MultiplyAddQuantized(
        QuantizedRows a, int rows, QuantizedPanels panels, int panelCount, int columnPairs, float* destination, nint destinationStride) =>
        SimdIntegerProducts<TSimd, TVector, TShorts, TIntegers>.MultiplyAdd(
            a, rows, panels, panelCount, columnPairs, destination, destinationStride);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Quantize(float* x, int length, short* values, float* scales)
    {
        for (var first = 0; first < length; first += QuantizedRows.BlockColumns)
        {
            var count = Math.Min(QuantizedRows.BlockColumns, length - first);
            var largest = LargestMagnitude(x + first, count);
            var factor = TSimd.Create(largest > 0 && float.IsFinite(largest) ? short.MaxValue / largest : 0f);
            for (var i = first; i < first + count; i += TSimd.Width)
                TSimd.StoreRounded(TSimd.Multiply(TSimd.Load(x + i), factor), values + i);
            *scales++ = largest / short.MaxValue;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float LargestMagnitude(float* x, int length)
    {
        // v - v is 0, and NaN where v is not finite, which a comparison might pass over.
        var zero = TSimd.Create(0f);
        var (largest, check) = (zero, zero);
        for (var i = 0; i < length; i += TSimd.Width)
        {
            var v = TSimd.Load(x + i);
            largest = TSimd.Max(TSimd.Max(largest, v), TSimd.Subtract(zero, v));
            check = TSimd.Add(check, TSimd.Subtract(v, v));
        }

        return TSimd.Largest(largest) + TSimd.Sum(check);
    }
}
