// The few vector operations that all kernels are written in, so that each kernel is written once and compiled for
// each width. One implementation for each instruction set stands in the files Simd*.cs.

namespace NanoGpt.Numerics;

/// <summary>Operations on a vector of float32 lanes. The JIT compiles a kernel anew for each implementation and inlines them.</summary>
/// <typeparam name="TVector">The vector type: Vector256&lt;float&gt; and the like.</typeparam>
internal unsafe interface ISimd<TVector>
    where TVector : struct
{
    /// <summary>Number of lanes.</summary>
    static abstract int Width { get; }

    static abstract TVector Create(float value);

    static abstract TVector Load(float* source);

    static abstract void Store(TVector vector, float* destination);

    static abstract TVector Add(TVector a, TVector b);

    static abstract TVector Subtract(TVector a, TVector b);

    static abstract TVector Multiply(TVector a, TVector b);

    static abstract TVector Divide(TVector a, TVector b);

    /// <summary>a * b + c, with one rounding where the hardware has it.</summary>
    static abstract TVector MultiplyAdd(TVector a, TVector b, TVector c);

    /// <summary>The larger of each pair; a NaN in <paramref name="value"/> comes through.</summary>
    static abstract TVector Max(TVector limit, TVector value);

    /// <summary>The smaller of each pair; a NaN in <paramref name="value"/> comes through.</summary>
    static abstract TVector Min(TVector limit, TVector value);

    /// <summary>Adds the low bits of <paramref name="exponent"/>, taken as an integer, to the exponent of <paramref name="value"/>.</summary>
    static abstract TVector AddExponent(TVector value, TVector exponent);

    /// <summary>The bfloat16 in the lower half of each 32-bit lane, as float32.</summary>
    static abstract TVector LoadLowerBFloat16(uint* source);

    /// <summary>The bfloat16 in the upper half of each 32-bit lane, as float32.</summary>
    static abstract TVector LoadUpperBFloat16(uint* source);

    static abstract float Sum(TVector vector);

    static abstract float Largest(TVector vector);

    /// <summary>Asks for a cache line that will be read soon; may do nothing.</summary>
    static abstract void Prefetch(byte* address);
}
