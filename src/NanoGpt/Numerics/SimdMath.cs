// Exponential and error function on vectors, to a few units in the last place of float32. .NET 8 has neither for vectors.

using System.Runtime.CompilerServices;

namespace NanoGpt.Numerics;

/// <summary>Elementary functions on vectors of float32. A NaN gives a NaN.</summary>
internal static class SimdMath<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    private const float Log2E = 1.44269504f;

    // ln 2 in two parts: n * Ln2High is exact for every n that occurs.
    private const float Ln2High = 0.693359375f;
    private const float Ln2Low = -2.12194440e-4f;

    // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
    private const float RoundingShift = 12582912f;

    /// <summary>e^x. Below -87.3 it stays at the smallest normal number, above 88.3 at 2^127 or so; neither is reached here.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Exp(TVector x)
    {
        x = TSimd.Min(TSimd.Create(88.3f), TSimd.Max(TSimd.Create(-87.3f), x));
        var shifted = TSimd.MultiplyAdd(x, TSimd.Create(Log2E), TSimd.Create(RoundingShift));
        var n = TSimd.Subtract(shifted, TSimd.Create(RoundingShift));
        var r = TSimd.MultiplyAdd(n, TSimd.Create(-Ln2High), x);
        r = TSimd.MultiplyAdd(n, TSimd.Create(-Ln2Low), r);

        // Taylor's series about 0; |r| <= ln 2 / 2 leaves 1e-8 after the seventh power.
        var p = TSimd.MultiplyAdd(TSimd.Create(1f / 5040), r, TSimd.Create(1f / 720));
        p = TSimd.MultiplyAdd(p, r, TSimd.Create(1f / 120));
        p = TSimd.MultiplyAdd(p, r, TSimd.Create(1f / 24));
        p = TSimd.MultiplyAdd(p, r, TSimd.Create(1f / 6));
        p = TSimd.MultiplyAdd(p, r, TSimd.Create(0.5f));
        p = TSimd.MultiplyAdd(p, r, TSimd.Create(1f));
        p = TSimd.MultiplyAdd(p, r, TSimd.Create(1f));
        return TSimd.AddExponent(p, shifted);
    }

    /// <summary>1 / (1 + e^-x).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Sigmoid(TVector x)
    {
        var one = TSimd.Create(1f);
        return TSimd.Divide(one, TSimd.Add(one, Exp(TSimd.Subtract(TSimd.Create(0f), x))));
    }

    /// <summary>1 - erf(x) for x >= 0, to a few parts in ten million of its value, by Chebyshev's polynomial in 1 / (1 + x / 2).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector ErrorComplement(TVector x)
    {
        var one = TSimd.Create(1f);
        var t = TSimd.Divide(one, TSimd.MultiplyAdd(x, TSimd.Create(0.5f), one));
        var p = TSimd.MultiplyAdd(TSimd.Create(0.17087277f), t, TSimd.Create(-0.82215223f));
        p = TSimd.MultiplyAdd(p, t, TSimd.Create(1.48851587f));
        p = TSimd.MultiplyAdd(p, t, TSimd.Create(-1.13520398f));
        p = TSimd.MultiplyAdd(p, t, TSimd.Create(0.27886807f));
        p = TSimd.MultiplyAdd(p, t, TSimd.Create(-0.18628806f));
        p = TSimd.MultiplyAdd(p, t, TSimd.Create(0.09678418f));
        p = TSimd.MultiplyAdd(p, t, TSimd.Create(0.37409196f));
        p = TSimd.MultiplyAdd(p, t, TSimd.Create(1.00002368f));
        p = TSimd.MultiplyAdd(p, t, TSimd.Create(-1.26551223f));
        return TSimd.Multiply(t, Exp(TSimd.Subtract(p, TSimd.Multiply(x, x))));
    }
}
