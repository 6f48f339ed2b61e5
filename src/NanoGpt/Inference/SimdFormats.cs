// How a panel of float weights is read: two columns at a time, so that a bfloat16 pair is one 32-bit load.

using System.Runtime.CompilerServices;
using NanoGpt.Numerics;

namespace NanoGpt.Inference;

/// <summary>Reads weights of a panel as vectors of float32.</summary>
/// <typeparam name="TVector">The vector type.</typeparam>
internal unsafe interface IPanelFormat<TVector>
    where TVector : struct
{
    /// <summary>Bytes of two columns of a panel.</summary>
    static abstract nint PairStride { get; }

    /// <summary>Column 0 of a pair: outputs 0..Width-1 for vector 0, Width..2 Width-1 for vector 1.</summary>
    static abstract TVector LoadEven(byte* pair, int vector);

    /// <summary>Column 1 of a pair.</summary>
    static abstract TVector LoadOdd(byte* pair, int vector);
}

/// <summary>[column][output], 4 bytes each.</summary>
internal readonly unsafe struct Float32Format<TSimd, TVector> : IPanelFormat<TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    public static nint PairStride => 4 * TSimd.Width * sizeof(float);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector LoadEven(byte* pair, int vector) => TSimd.Load((float*)pair + vector * TSimd.Width);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector LoadOdd(byte* pair, int vector) => TSimd.Load((float*)pair + (2 + vector) * TSimd.Width);
}

/// <summary>[column / 2][output][column % 2], 2 bytes each.</summary>
internal readonly unsafe struct BFloat16Format<TSimd, TVector> : IPanelFormat<TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    public static nint PairStride => 2 * TSimd.Width * sizeof(uint);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector LoadEven(byte* pair, int vector) => TSimd.LoadLowerBFloat16((uint*)pair + vector * TSimd.Width);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector LoadOdd(byte* pair, int vector) => TSimd.LoadUpperBFloat16((uint*)pair + vector * TSimd.Width);
}
