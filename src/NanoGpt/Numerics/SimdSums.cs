// Sums over a row, for mean and variance.

using System.Runtime.CompilerServices;

namespace NanoGpt.Numerics;

/// <summary>Sums of float32 numbers, lane by lane and then across.</summary>
internal static unsafe class SimdSums<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    /// <summary>The sum of x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Sum(float* x, int length)
    {
        var sums = TSimd.Create(0f);
        var sum = 0f;
        var i = 0;
        for (; i <= length - TSimd.Width; i += TSimd.Width) sums = TSimd.Add(sums, TSimd.Load(x + i));
        for (; i < length; i++) sum += x[i];
        return sum + TSimd.Sum(sums);
    }

    /// <summary>The sum of (x - mean)^2.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float SumOfSquares(float* x, int length, float mean)
    {
        var means = TSimd.Create(mean);
        var sums = TSimd.Create(0f);
        var sum = 0f;
        var i = 0;
        for (; i <= length - TSimd.Width; i += TSimd.Width)
        {
            var d = TSimd.Subtract(TSimd.Load(x + i), means);
            sums = TSimd.MultiplyAdd(d, d, sums);
        }

        for (; i < length; i++) sum += (x[i] - mean) * (x[i] - mean);
        return sum + TSimd.Sum(sums);
    }
}
