// Vector operations for x64 processors with AVX-512.

using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace NanoGpt.Numerics;

/// <summary>16 lanes of float32 with AVX-512 F.</summary>
internal readonly unsafe struct Simd512 : ISimd<Vector512<float>>, IIntegerSimd<Vector512<float>, Vector512<short>, Vector512<int>>
{
    public static bool IsSupported => Avx512F.IsSupported && Avx512BW.IsSupported;

    public static int Width => Vector512<float>.Count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Create(float value) => Vector512.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load(float* source) => Vector512.Load(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector512<float> vector, float* destination) => vector.Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Add(Vector512<float> a, Vector512<float> b) => a + b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Subtract(Vector512<float> a, Vector512<float> b) => a - b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Multiply(Vector512<float> a, Vector512<float> b) => a * b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Divide(Vector512<float> a, Vector512<float> b) => a / b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> MultiplyAdd(Vector512<float> a, Vector512<float> b, Vector512<float> c) =>
        Avx512F.FusedMultiplyAdd(a, b, c);

    // vmaxps and vminps give their second operand where one is NaN.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Max(Vector512<float> limit, Vector512<float> value) => Avx512F.Max(limit, value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Min(Vector512<float> limit, Vector512<float> value) => Avx512F.Min(limit, value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> AddExponent(Vector512<float> value, Vector512<float> exponent) =>
        (value.AsInt32() + Vector512.ShiftLeft(exponent.AsInt32(), 23)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> LoadLowerBFloat16(uint* source) =>
        Vector512.ShiftLeft(Vector512.Load(source), 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> LoadUpperBFloat16(uint* source) =>
        (Vector512.Load(source) & Vector512.Create(0xFFFF0000u)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector512<float> vector) => Vector512.Sum(vector);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Largest(Vector512<float> vector) => Simd256.Largest(Vector256.Max(vector.GetLower(), vector.GetUpper()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Prefetch(byte* address) => Sse.Prefetch0(address);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<short> LoadWeights(sbyte* source) => Avx512BW.ConvertToVector512Int16(Vector256.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<short> BroadcastPair(short* source) => Vector512.Create(*(int*)source).AsInt16();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> MultiplyAddPairs(Vector512<short> weights, Vector512<short> activations, Vector512<int> sum) =>
        sum + Avx512BW.MultiplyAddAdjacent(weights, activations);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> ToFloat(Vector512<int> value) => Vector512.ConvertToSingle(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreRounded(Vector512<float> value, short* destination) =>
        Avx512F.ConvertToVector256Int16WithSaturation(Avx512F.ConvertToVector512Int32(value)).Store(destination);
}
