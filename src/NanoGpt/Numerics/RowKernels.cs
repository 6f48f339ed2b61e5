// The arithmetic of rows of numbers behind one abstract class, so that the instruction set is chosen once, by what the
// processor has, and tests can choose each. Knows no matrix and no model.

using System.Numerics;
using System.Runtime.Intrinsics;

namespace NanoGpt.Numerics;

/// <summary>One implementation of what a network does with a row, forward. Stateless, so safe to share.</summary>
internal abstract unsafe class RowKernels
{
    /// <summary>Lengths of rows are rounded up to this many floats, which every vector width divides.</summary>
    public const int RowAlignment = 32;

    /// <summary>Name of the instruction set, for logs and benchmarks.</summary>
    public abstract string Name { get; }

    /// <summary>All implementations that this processor can run, the best first.</summary>
    public static IReadOnlyList<RowKernels> Supported { get; } = FindSupported();

    /// <summary>The implementation of that <see cref="Name"/>, which this processor can run.</summary>
    public static RowKernels Named(string name) => Supported.Single(kernels => kernels.Name == name);

    /// <summary>Floats in a row of <paramref name="length"/> values.</summary>
    public static int PaddedLength(int length) => checked(length + RowAlignment - 1) / RowAlignment * RowAlignment;

    /// <summary>output = (x - mean) / sqrt(variance + epsilon) * weight + bias.</summary>
    /// <param name="x">The values.</param>
    /// <param name="weight">As many values.</param>
    /// <param name="bias">As many values, or null.</param>
    /// <param name="epsilon">Added to the variance.</param>
    /// <param name="length">How many values.</param>
    /// <param name="output">Room for as many values.</param>
    public abstract void LayerNorm(float* x, float* weight, float* bias, float epsilon, int length, float* output);

    /// <summary>x += y. Whole vectors: up to <see cref="PaddedLength"/> values are touched.</summary>
    public abstract void Add(float* x, float* y, int length);

    /// <summary>x = function(x). Whole vectors: up to <see cref="PaddedLength"/> values are touched; 0 stays 0.</summary>
    public abstract void Activate(ActivationFunction function, float* x, int length);

    /// <summary>x = softmax(x * scale).</summary>
    public abstract void Softmax(float* x, int length, float scale);

    /// <summary>log(sum(exp(x))).</summary>
    public abstract float LogSumExp(float* x, int length);

    private static List<RowKernels> FindSupported()
    {
        var supported = new List<RowKernels>();
        if (Simd512.IsSupported) supported.Add(new SimdRowKernels<Simd512, Vector512<float>>("AVX-512"));
        if (Simd256.IsSupported) supported.Add(new SimdRowKernels<Simd256, Vector256<float>>("AVX2"));
        supported.Add(new SimdRowKernels<SimdPortable, Vector<float>>("portable"));
        return supported;
    }
}
