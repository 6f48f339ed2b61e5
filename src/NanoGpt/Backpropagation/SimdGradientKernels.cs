// The gradient kernels, written once over ISimd.

using System.Runtime.CompilerServices;
using NanoGpt.Numerics;

namespace NanoGpt.Backpropagation;

/// <summary>The arithmetic of gradients on vectors of one kind.</summary>
/// <param name="rows">The same vectors' arithmetic of rows.</param>
internal sealed unsafe class SimdGradientKernels<TSimd, TVector>(RowKernels rows) : GradientKernels
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    public override RowKernels Rows => rows;

    public override MatrixProduct CreateProduct(WorkerTeam team) => new SimdMatrixProduct<TSimd, TVector>(team);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Add(float* x, float* y, int length)
    {
        var i = 0;
        for (; i <= length - TSimd.Width; i += TSimd.Width) TSimd.Store(TSimd.Add(TSimd.Load(y + i), TSimd.Load(x + i)), y + i);
        for (; i < length; i++) y[i] += x[i];
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Scale(float* x, float factor, float* y, int length)
    {
        var factors = TSimd.Create(factor);
        var i = 0;
        for (; i <= length - TSimd.Width; i += TSimd.Width) TSimd.Store(TSimd.Multiply(TSimd.Load(x + i), factors), y + i);
        for (; i < length; i++) y[i] = x[i] * factor;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override float Dot(float* x, float* y, int length)
    {
        var sums = TSimd.Create(0f);
        var i = 0;
        for (; i <= length - TSimd.Width; i += TSimd.Width) sums = TSimd.MultiplyAdd(TSimd.Load(x + i), TSimd.Load(y + i), sums);
        var sum = TSimd.Sum(sums);
        for (; i < length; i++) sum += x[i] * y[i];
        return sum;
    }

    // With n = (x - mean) / deviation: y = n weight + bias. As mean and deviation move with each x,
    // dx = (g - mean(g) - n mean(g n)) / deviation where g = slope weight.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void LayerNormGradient(
        float* x, float* weight, float epsilon, float* slope, int length, float* inputGradient, float* weightGradient, float* biasGradient)
    {
        var mean = SimdSums<TSimd, TVector>.Sum(x, length) / length;
        var scale = 1f / MathF.Sqrt(SimdSums<TSimd, TVector>.SumOfSquares(x, length, mean) / length + epsilon);
        var (means, scales) = (TSimd.Create(mean), TSimd.Create(scale));

        var (sums, weightedSums) = (TSimd.Create(0f), TSimd.Create(0f));
        var (sum, weightedSum) = (0f, 0f);
        var i = 0;
        for (; i <= length - TSimd.Width; i += TSimd.Width)
        {
            var n = TSimd.Multiply(TSimd.Subtract(TSimd.Load(x + i), means), scales);
            var dy = TSimd.Load(slope + i);
            var g = TSimd.Multiply(dy, TSimd.Load(weight + i));
            sums = TSimd.Add(sums, g);
            weightedSums = TSimd.MultiplyAdd(g, n, weightedSums);
            TSimd.Store(TSimd.MultiplyAdd(dy, n, TSimd.Load(weightGradient + i)), weightGradient + i);
            TSimd.Store(TSimd.Add(TSimd.Load(biasGradient + i), dy), biasGradient + i);
        }

        for (; i < length; i++)
        {
            var n = (x[i] - mean) * scale;
            sum += slope[i] * weight[i];
            weightedSum += slope[i] * weight[i] * n;
            weightGradient[i] += slope[i] * n;
            biasGradient[i] += slope[i];
        }

        var shift = (sum + TSimd.Sum(sums)) / length;
        var slant = (weightedSum + TSimd.Sum(weightedSums)) / length;
        var (shifts, slants) = (TSimd.Create(-shift), TSimd.Create(-slant));
        for (i = 0; i <= length - TSimd.Width; i += TSimd.Width)
        {
            var n = TSimd.Multiply(TSimd.Subtract(TSimd.Load(x + i), means), scales);
            var g = TSimd.MultiplyAdd(TSimd.Load(slope + i), TSimd.Load(weight + i), shifts);
            TSimd.Store(TSimd.MultiplyAdd(TSimd.MultiplyAdd(n, slants, g), scales, TSimd.Load(inputGradient + i)), inputGradient + i);
        }

        for (; i < length; i++) inputGradient[i] += (slope[i] * weight[i] - shift - (x[i] - mean) * scale * slant) * scale;
    }

    public override void ActivationGradient(ActivationFunction function, float* x, float* slope, float* output, int length)
    {
        switch (function)
        {
            case ActivationFunction.GeluNew:
            case ActivationFunction.GeluPytorchTanh:
                GeluTanh(x, slope, output, length);
                break;
            case ActivationFunction.Gelu:
                GeluErf(x, slope, output, length);
                break;
            case ActivationFunction.Relu:
                Relu(x, slope, output, length);
                break;
            case ActivationFunction.Silu:
                Silu(x, slope, output, length);
                break;
            case ActivationFunction.Tanh:
                Tanh(x, slope, output, length);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(function), function, "No such activation function.");
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void SoftmaxGradient(float* probabilities, float* slope, float mean, float scale, int length)
    {
        var (means, scales) = (TSimd.Create(mean), TSimd.Create(scale));
        var i = 0;
        for (; i <= length - TSimd.Width; i += TSimd.Width)
        {
            var p = TSimd.Multiply(TSimd.Load(probabilities + i), scales);
            TSimd.Store(TSimd.Multiply(p, TSimd.Subtract(TSimd.Load(slope + i), means)), slope + i);
        }

        for (; i < length; i++) slope[i] = probabilities[i] * scale * (slope[i] - mean);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void ShiftedExp(float* x, float shift, float factor, int length)
    {
        var (shifts, factors) = (TSimd.Create(shift), TSimd.Create(factor));
        var i = 0;
        for (; i <= length - TSimd.Width; i += TSimd.Width)
            TSimd.Store(TSimd.Multiply(SimdMath<TSimd, TVector>.Exp(TSimd.Subtract(TSimd.Load(x + i), shifts)), factors), x + i);
        for (; i < length; i++) x[i] = MathF.Exp(x[i] - shift) * factor;
    }

    // f = x s(u) with s the logistic function and u = 2 sqrt(2 / pi) (x + 0.044715 x^3); f' = s + x s (1 - s) u'.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void GeluTanh(float* x, float* slope, float* output, int length)
    {
        const float twice = 1.5957691216f;
        TVector linear = TSimd.Create(twice), cubic = TSimd.Create(twice * 0.044715f), steep = TSimd.Create(3 * twice * 0.044715f), one = TSimd.Create(1f);
        for (var i = 0; i < length; i += TSimd.Width)
        {
            var v = TSimd.Load(x + i);
            var square = TSimd.Multiply(v, v);
            var s = SimdMath<TSimd, TVector>.Sigmoid(TSimd.Multiply(v, TSimd.MultiplyAdd(cubic, square, linear)));
            var f = TSimd.Multiply(v, s);
            var bend = TSimd.Multiply(TSimd.Multiply(f, TSimd.Subtract(one, s)), TSimd.MultiplyAdd(steep, square, linear));
            TSimd.Store(f, output + i);
            TSimd.Store(TSimd.Multiply(TSimd.Load(slope + i), TSimd.Add(s, bend)), slope + i);
        }
    }

    // f = x P(x) with P the normal distribution's function; f' = P + x p, p its density. P = 1 - half the error function's
    // complement above zero, and that half itself below.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void GeluErf(float* x, float* slope, float* output, int length)
    {
        TVector zero = TSimd.Create(0f), half = TSimd.Create(0.5f), density = TSimd.Create(0.39894228f), rootHalf = TSimd.Create(0.70710678f);
        for (var i = 0; i < length; i += TSimd.Width)
        {
            var v = TSimd.Load(x + i);
            var magnitude = TSimd.Max(TSimd.Subtract(zero, v), v);
            var tail = TSimd.Multiply(SimdMath<TSimd, TVector>.ErrorComplement(TSimd.Multiply(magnitude, rootHalf)), half); // P(-|x|)
            var f = TSimd.Subtract(TSimd.Max(zero, v), TSimd.Multiply(magnitude, tail));

            // P(x) = 1/2 + sign(x) (1/2 - tail); x p times |x| / |x| spares the sign: x (1/2 - tail) / |x| would divide by zero,
            // so the sign is taken from a bounded multiple of x.
            var sign = TSimd.Max(TSimd.Create(-1f), TSimd.Min(TSimd.Create(1f), TSimd.Multiply(v, TSimd.Create(1e30f))));
            var p = TSimd.Multiply(density, SimdMath<TSimd, TVector>.Exp(TSimd.Multiply(TSimd.Multiply(v, v), TSimd.Create(-0.5f))));
            var derivative = TSimd.MultiplyAdd(v, p, TSimd.MultiplyAdd(sign, TSimd.Subtract(half, tail), half));
            TSimd.Store(f, output + i);
            TSimd.Store(TSimd.Multiply(TSimd.Load(slope + i), derivative), slope + i);
        }
    }

    // f = x s(x); f' = s (1 + x (1 - s)).
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Silu(float* x, float* slope, float* output, int length)
    {
        var one = TSimd.Create(1f);
        for (var i = 0; i < length; i += TSimd.Width)
        {
            var v = TSimd.Load(x + i);
            var s = SimdMath<TSimd, TVector>.Sigmoid(v);
            TSimd.Store(TSimd.Multiply(v, s), output + i);
            TSimd.Store(TSimd.Multiply(TSimd.Load(slope + i), TSimd.Multiply(s, TSimd.MultiplyAdd(v, TSimd.Subtract(one, s), one))), slope + i);
        }
    }

    private static void Relu(float* x, float* slope, float* output, int length)
    {
        for (var i = 0; i < length; i++)
        {
            var isOff = x[i] <= 0; // a NaN is not
            output[i] = isOff ? 0 : x[i];
            if (isOff) slope[i] = 0;
        }
    }

    private static void Tanh(float* x, float* slope, float* output, int length)
    {
        for (var i = 0; i < length; i++)
        {
            var f = output[i] = MathF.Tanh(x[i]);
            slope[i] *= 1 - f * f;
        }
    }
}
