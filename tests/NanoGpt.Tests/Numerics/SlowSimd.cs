// Vectors of a width that this processor may not have, computed number by number: what is written over ISimd is tried in the
// widths of AVX-512 and arm64 on any machine.

using System.Runtime.Intrinsics;
using NanoGpt.Backpropagation;
using NanoGpt.Inference;
using NanoGpt.Numerics;

namespace NanoGpt.Tests.Numerics;

/// <summary>Plain loops over the numbers of a vector.</summary>
internal readonly unsafe struct SlowSimd<TVector, TShorts, TIntegers> : ISimd<TVector>, IIntegerSimd<TVector, TShorts, TIntegers>
    where TVector : unmanaged
    where TShorts : unmanaged
    where TIntegers : unmanaged
{
    public static int Width => sizeof(TVector) / sizeof(float);

    public static TVector Create(float value)
    {
        TVector result = default;
        for (var i = 0; i < Width; i++) ((float*)&result)[i] = value;
        return result;
    }

    public static TVector Load(float* source) => *(TVector*)source;

    public static void Store(TVector vector, float* destination) => *(TVector*)destination = vector;

    public static TVector Add(TVector a, TVector b)
    {
        for (var i = 0; i < Width; i++) ((float*)&a)[i] += ((float*)&b)[i];
        return a;
    }

    public static TVector Subtract(TVector a, TVector b)
    {
        for (var i = 0; i < Width; i++) ((float*)&a)[i] -= ((float*)&b)[i];
        return a;
    }

    public static TVector Multiply(TVector a, TVector b)
    {
        for (var i = 0; i < Width; i++) ((float*)&a)[i] *= ((float*)&b)[i];
        return a;
    }

    public static TVector Divide(TVector a, TVector b)
    {
        for (var i = 0; i < Width; i++) ((float*)&a)[i] /= ((float*)&b)[i];
        return a;
    }

    public static TVector MultiplyAdd(TVector a, TVector b, TVector c)
    {
        for (var i = 0; i < Width; i++) ((float*)&c)[i] = MathF.FusedMultiplyAdd(((float*)&a)[i], ((float*)&b)[i], ((float*)&c)[i]);
        return c;
    }

    public static TVector Max(TVector limit, TVector value)
    {
        for (var i = 0; i < Width; i++) ((float*)&value)[i] = MathF.Max(((float*)&limit)[i], ((float*)&value)[i]);
        return value;
    }

    public static TVector Min(TVector limit, TVector value)
    {
        for (var i = 0; i < Width; i++) ((float*)&value)[i] = MathF.Min(((float*)&limit)[i], ((float*)&value)[i]);
        return value;
    }

    public static TVector AddExponent(TVector value, TVector exponent)
    {
        for (var i = 0; i < Width; i++) ((int*)&value)[i] += ((int*)&exponent)[i] << 23;
        return value;
    }

    public static TVector LoadLowerBFloat16(uint* source)
    {
        TVector result = default;
        for (var i = 0; i < Width; i++) ((uint*)&result)[i] = source[i] << 16;
        return result;
    }

    public static TVector LoadUpperBFloat16(uint* source)
    {
        TVector result = default;
        for (var i = 0; i < Width; i++) ((uint*)&result)[i] = source[i] & 0xFFFF0000;
        return result;
    }

    public static float Sum(TVector vector)
    {
        var sum = 0f;
        for (var i = 0; i < Width; i++) sum += ((float*)&vector)[i];
        return sum;
    }

    public static float Largest(TVector vector)
    {
        var largest = float.NegativeInfinity;
        for (var i = 0; i < Width; i++) largest = MathF.Max(largest, ((float*)&vector)[i]);
        return largest;
    }

    public static void Prefetch(byte* address)
    {
    }

    public static TShorts LoadWeights(sbyte* source)
    {
        TShorts result = default;
        for (var i = 0; i < 2 * Width; i++) ((short*)&result)[i] = source[i];
        return result;
    }

    public static TShorts BroadcastPair(short* source)
    {
        TShorts result = default;
        for (var i = 0; i < 2 * Width; i++) ((short*)&result)[i] = source[i % 2];
        return result;
    }

    public static TIntegers MultiplyAddPairs(TShorts weights, TShorts activations, TIntegers sum)
    {
        short* w = (short*)&weights, a = (short*)&activations;
        for (var i = 0; i < Width; i++) ((int*)&sum)[i] += w[2 * i] * a[2 * i] + w[2 * i + 1] * a[2 * i + 1];
        return sum;
    }

    public static TVector ToFloat(TIntegers value)
    {
        TVector result = default;
        for (var i = 0; i < Width; i++) ((float*)&result)[i] = ((int*)&value)[i];
        return result;
    }

    public static void StoreRounded(TVector value, short* destination)
    {
        for (var i = 0; i < Width; i++) destination[i] = (short)Math.Clamp(MathF.Round(((float*)&value)[i], MidpointRounding.ToEven), short.MinValue, short.MaxValue);
    }
}

/// <summary>The kernels that tests try: those of this processor, and the same in the widths of others.</summary>
internal static class TestKernels
{
    public static IReadOnlyList<PanelKernels> Panels { get; } = [.. PanelKernels.Supported, InWidth<Vector512<float>, Vector512<short>, Vector512<int>>().Panels, InWidth<Vector128<float>, Vector128<short>, Vector128<int>>().Panels];

    public static IReadOnlyList<GradientKernels> Gradients { get; } = [.. GradientKernels.Supported, InWidth<Vector512<float>, Vector512<short>, Vector512<int>>().Gradients, InWidth<Vector128<float>, Vector128<short>, Vector128<int>>().Gradients];

    public static PanelKernels PanelsNamed(string name) => Panels.Single(kernels => kernels.Rows.Name == name);

    // The vector types are room for as many numbers here, and nothing else.
    private static (PanelKernels Panels, GradientKernels Gradients) InWidth<TVector, TShorts, TIntegers>()
        where TVector : unmanaged
        where TShorts : unmanaged
        where TIntegers : unmanaged
    {
        var rows = new SimdRowKernels<SlowSimd<TVector, TShorts, TIntegers>, TVector>($"{SlowSimd<TVector, TShorts, TIntegers>.Width} numbers, one by one");
        return (new SimdPanelKernels<SlowSimd<TVector, TShorts, TIntegers>, TVector, TShorts, TIntegers>(rows), new SimdGradientKernels<SlowSimd<TVector, TShorts, TIntegers>, TVector>(rows));
    }
}
