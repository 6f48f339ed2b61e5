// The arithmetic of gradients behind one abstract class, so that the instruction set is chosen once, by what the processor
// has, and tests can choose each. Beside Numerics/RowKernels.cs, which has the arithmetic of the way forward. Knows rows of
// numbers, no model.

using System.Numerics;
using System.Runtime.Intrinsics;
using NanoGpt.Numerics;

namespace NanoGpt.Backpropagation;

/// <summary>One implementation of the arithmetic of gradients. Stateless, so safe to share.</summary>
internal abstract unsafe class GradientKernels
{
    /// <summary>All implementations that this processor can run, the best first.</summary>
    public static IReadOnlyList<GradientKernels> Supported { get; } = FindSupported();

    /// <summary>The fastest implementation that this processor can run.</summary>
    public static GradientKernels Best => Supported[0];

    /// <summary>The same vectors' arithmetic of the way forward.</summary>
    public abstract RowKernels Rows { get; }

    /// <summary>Matrix products on the same vectors.</summary>
    public abstract MatrixProduct CreateProduct(WorkerTeam team);

    /// <summary>y += x.</summary>
    public abstract void Add(float* x, float* y, int length);

    /// <summary>y = x * factor.</summary>
    public abstract void Scale(float* x, float factor, float* y, int length);

    /// <summary>Sum of x * y.</summary>
    public abstract float Dot(float* x, float* y, int length);

    /// <summary>What a layer norm's output asks of its input and of its weights.</summary>
    /// <param name="x">The input, one row.</param>
    /// <param name="weight">Its scales.</param>
    /// <param name="epsilon">Added to the variance.</param>
    /// <param name="slope">The gradient of the loss by the output.</param>
    /// <param name="length">Values in each.</param>
    /// <param name="inputGradient">The gradient by the input is added to it.</param>
    /// <param name="weightGradient">The gradient by the weight is added to it.</param>
    /// <param name="biasGradient">The gradient by the bias is added to it.</param>
    public abstract void LayerNormGradient(
        float* x, float* weight, float epsilon, float* slope, int length, float* inputGradient, float* weightGradient, float* biasGradient);

    /// <summary>output = function(x) and slope *= function'(x).</summary>
    /// <param name="function">The nonlinearity.</param>
    /// <param name="x">Its input.</param>
    /// <param name="slope">The gradient of the loss by the output; becomes that by the input.</param>
    /// <param name="output">Gets the output.</param>
    /// <param name="length">Values in each. Whole vectors are read and written.</param>
    public abstract void ActivationGradient(ActivationFunction function, float* x, float* slope, float* output, int length);

    /// <summary>slope = (slope - mean) * probabilities * scale: the gradient of a softmax whose input was multiplied by scale.</summary>
    /// <param name="probabilities">Its output.</param>
    /// <param name="slope">The gradient of the loss by the output; becomes that by what was multiplied.</param>
    /// <param name="mean">The sum of output times slope.</param>
    /// <param name="scale">The factor of the input.</param>
    /// <param name="length">Values in each.</param>
    public abstract void SoftmaxGradient(float* probabilities, float* slope, float mean, float scale, int length);

    /// <summary>x = exp(x - shift) * factor.</summary>
    public abstract void ShiftedExp(float* x, float shift, float factor, int length);

    private static List<GradientKernels> FindSupported()
    {
        var supported = new List<GradientKernels>();
        if (Simd512.IsSupported) supported.Add(new SimdGradientKernels<Simd512, Vector512<float>>(RowKernels.Named("AVX-512")));
        if (Simd256.IsSupported) supported.Add(new SimdGradientKernels<Simd256, Vector256<float>>(RowKernels.Named("AVX2")));
        supported.Add(new SimdGradientKernels<SimdPortable, Vector<float>>(RowKernels.Named("portable")));
        return supported;
    }
}
