// Vector operations for x64 processors with AVX2 and FMA.

using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace NanoGpt.Numerics;

/// <summary>8 lanes of float32 with AVX2 and FMA.</summary>
internal readonly unsafe struct Simd256 : ISimd<Vector256<float>>, IIntegerSimd<Vector256<float>, Vector256<short>, Vector256<int>>
{
    public static bool IsSupported => Avx2.IsSupported && Fma.IsSupported;

    public static int Width => Vector256<float>.Count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Create(float value) => Vector256.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load(float* source) => Vector256.Load(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector256<float> vector, float* destination) => vector.Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Add(Vector256<float> a, Vector256<float> b) => a + b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Subtract(Vector256<float> a, Vector256<float> b) => a - b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Multiply(Vector256<float> a, Vector256<float> b) => a * b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Divide(Vector256<float> a, Vector256<float> b) => a / b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> MultiplyAdd(Vector256<float> a, Vector256<float> b, Vector256<float> c) =>
        Fma.MultiplyAdd(a, b, c);

    // vmaxps and vminps give their second operand where one is NaN.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Max(Vector256<float> limit, Vector256<float> value) => Avx.Max(limit, value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Min(Vector256<float> limit, Vector256<float> value) => Avx.Min(limit, value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> AddExponent(Vector256<float> value, Vector256<float> exponent) =>
        (value.AsInt32() + Vector256.ShiftLeft(exponent.AsInt32(), 23)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadLowerBFloat16(uint* source) =>
        Vector256.ShiftLeft(Vector256.Load(source), 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadUpperBFloat16(uint* source) =>
        (Vector256.Load(source) & Vector256.Create(0xFFFF0000u)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector256<float> vector) => Vector256.Sum(vector);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Largest(Vector256<float> vector)
    {
        var half = Vector128.Max(vector.GetLower(), vector.GetUpper());
        return MathF.Max(MathF.Max(half[0], half[1]), MathF.Max(half[2], half[3]));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Prefetch(byte* address) => Sse.Prefetch0(address);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<short> LoadWeights(sbyte* source) => Avx2.ConvertToVector256Int16(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<short> BroadcastPair(short* source) => Vector256.Create(*(int*)source).AsInt16();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> MultiplyAddPairs(Vector256<short> weights, Vector256<short> activations, Vector256<int> sum) =>
#if NET10_0_OR_GREATER // a preview feature before
        AvxVnni.IsSupported ? AvxVnni.MultiplyWideningAndAdd(sum, weights, activations) :
#endif
        sum + Avx2.MultiplyAddAdjacent(weights, activations);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> ToFloat(Vector256<int> value) => Vector256.ConvertToSingle(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreRounded(Vector256<float> value, short* destination)
    {
        var rounded = Avx.ConvertToVector256Int32(value);
        Sse2.PackSignedSaturate(rounded.GetLower(), rounded.GetUpper()).Store(destination);
    }
}
