// Vector operations for any machine that .NET runs on, arm64 among them: System.Numerics.Vector, whatever its width.

using System.Numerics;
using System.Runtime.CompilerServices;

namespace NanoGpt.Numerics;

/// <summary>As many lanes of float32 as the hardware's plain vectors have.</summary>
internal readonly unsafe struct SimdPortable : ISimd<Vector<float>>, IIntegerSimd<Vector<float>, Vector<short>, Vector<int>>
{
    public static int Width => Vector<float>.Count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Create(float value) => new(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Load(float* source) => Unsafe.ReadUnaligned<Vector<float>>(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector<float> vector, float* destination) => Unsafe.WriteUnaligned(destination, vector);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Add(Vector<float> a, Vector<float> b) => a + b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Subtract(Vector<float> a, Vector<float> b) => a - b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Multiply(Vector<float> a, Vector<float> b) => a * b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Divide(Vector<float> a, Vector<float> b) => a / b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> MultiplyAdd(Vector<float> a, Vector<float> b, Vector<float> c) =>
#if NET9_0_OR_GREATER
        Vector.FusedMultiplyAdd(a, b, c);
#else
        a * b + c;
#endif

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Max(Vector<float> limit, Vector<float> value) =>
        Vector.ConditionalSelect(Vector.LessThan(value, limit), limit, value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Min(Vector<float> limit, Vector<float> value) =>
        Vector.ConditionalSelect(Vector.GreaterThan(value, limit), limit, value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> AddExponent(Vector<float> value, Vector<float> exponent) =>
        Vector.AsVectorSingle(Vector.AsVectorInt32(value) + Vector.ShiftLeft(Vector.AsVectorInt32(exponent), 23));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> LoadLowerBFloat16(uint* source) =>
        Vector.AsVectorSingle(Vector.ShiftLeft(Unsafe.ReadUnaligned<Vector<uint>>(source), 16));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> LoadUpperBFloat16(uint* source) =>
        Vector.AsVectorSingle(Unsafe.ReadUnaligned<Vector<uint>>(source) & new Vector<uint>(0xFFFF0000u));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector<float> vector) => Vector.Sum(vector);

    public static float Largest(Vector<float> vector)
    {
        var largest = vector[0];
        for (var i = 1; i < Vector<float>.Count; i++) largest = MathF.Max(largest, vector[i]);
        return largest;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Prefetch(byte* address)
    {
        // No portable hint; the hardware's own prefetcher sees sequential reads.
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<short> LoadWeights(sbyte* source)
    {
        Vector.Widen(Unsafe.ReadUnaligned<Vector<sbyte>>(source), out var weights, out _);
        return weights;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<short> BroadcastPair(short* source) => Vector.AsVectorInt16(new Vector<int>(*(int*)source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<int> MultiplyAddPairs(Vector<short> weights, Vector<short> activations, Vector<int> sum)
    {
        var (w, a) = (Vector.AsVectorInt32(weights), Vector.AsVectorInt32(activations));
        var even = Vector.ShiftRightArithmetic(Vector.ShiftLeft(w, 16), 16) * Vector.ShiftRightArithmetic(Vector.ShiftLeft(a, 16), 16);
        return sum + even + Vector.ShiftRightArithmetic(w, 16) * Vector.ShiftRightArithmetic(a, 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> ToFloat(Vector<int> value) => Vector.ConvertToSingle(value);

    public static void StoreRounded(Vector<float> value, short* destination)
    {
        for (var i = 0; i < Vector<float>.Count; i++) destination[i] = (short)MathF.Round(value[i]);
    }
}
