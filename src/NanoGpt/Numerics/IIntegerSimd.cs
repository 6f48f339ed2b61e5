// The vector operations of the int8 kernels: 8-bit weights times 16-bit activations, summed exactly in 32 bits.

namespace NanoGpt.Numerics;

/// <summary>Operations on vectors of integers, as many 32-bit lanes as <see cref="ISimd{TVector}.Width"/>.</summary>
/// <typeparam name="TVector">The vector type of float32.</typeparam>
/// <typeparam name="TShorts">The vector type of int16, two for each lane.</typeparam>
/// <typeparam name="TIntegers">The vector type of int32.</typeparam>
internal unsafe interface IIntegerSimd<TVector, TShorts, TIntegers>
    where TVector : struct
    where TShorts : struct
    where TIntegers : struct
{
    /// <summary>2 * Width weights, widened.</summary>
    static abstract TShorts LoadWeights(sbyte* source);

    /// <summary>The same two activations for each lane.</summary>
    static abstract TShorts BroadcastPair(short* source);

    /// <summary>sum + weights[even] * activations[even] + weights[odd] * activations[odd] in each lane.</summary>
    static abstract TIntegers MultiplyAddPairs(TShorts weights, TShorts activations, TIntegers sum);

    static abstract TVector ToFloat(TIntegers value);

    /// <summary>Rounds each lane to the nearest integer, which is within 16 bits, and stores them.</summary>
    static abstract void StoreRounded(TVector value, short* destination);
}
