// Exponential and error function on vectors, to a few units in the last place of float32. .NET 8 has neither for vectors.

using System.Runtime.CompilerServices;

namespace NanoGpt.Inference;

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

    /// <summary>The error function, as a quotient of two polynomials on [-4, 4], where float32 reaches 1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Erf(TVector x)
    {
        x = TSimd.Min(TSimd.Create(4f), TSimd.Max(TSimd.Create(-4f), x));
        var square = TSimd.Multiply(x, x);

        var p = TSimd.MultiplyAdd(TSimd.Create(-2.72614225801306e-10f), square, TSimd.Create(2.77068142495902e-08f));
        p = TSimd.MultiplyAdd(p, square, TSimd.Create(-2.10102402082508e-06f));
        p = TSimd.MultiplyAdd(p, square, TSimd.Create(-5.69250639462346e-05f));
        p = TSimd.MultiplyAdd(p, square, TSimd.Create(-7.34990630326855e-04f));
        p = TSimd.MultiplyAdd(p, square, TSimd.Create(-2.95459980854025e-03f));
        p = TSimd.MultiplyAdd(p, square, TSimd.Create(-1.60960333262415e-02f));

        var q = TSimd.MultiplyAdd(TSimd.Create(-1.45660718464996e-05f), square, TSimd.Create(-2.13374055278905e-04f));
        q = TSimd.MultiplyAdd(q, square, TSimd.Create(-1.68282697438203e-03f));
        q = TSimd.MultiplyAdd(q, square, TSimd.Create(-7.37332916720468e-03f));
        q = TSimd.MultiplyAdd(q, square, TSimd.Create(-1.42647390514189e-02f));
        return TSimd.Divide(TSimd.Multiply(x, p), q);
    }
}
