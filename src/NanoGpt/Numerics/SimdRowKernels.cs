// The arithmetic of rows, written once over ISimd.

using System.Runtime.CompilerServices;

namespace NanoGpt.Numerics;

/// <summary>The arithmetic of rows on vectors of one kind.</summary>
/// <param name="name">Name of the instruction set.</param>
internal sealed unsafe class SimdRowKernels<TSimd, TVector>(string name) : RowKernels
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    public override string Name => name;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void LayerNorm(float* x, float* weight, float* bias, float epsilon, int length, float* output)
    {
        var mean = SimdSums<TSimd, TVector>.Sum(x, length) / length;
        var variance = SimdSums<TSimd, TVector>.SumOfSquares(x, length, mean) / length;
        var scale = 1f / MathF.Sqrt(variance + epsilon);

        var means = TSimd.Create(mean);
        var scales = TSimd.Create(scale);
        var i = 0;
        for (; i <= length - TSimd.Width; i += TSimd.Width)
        {
            var normal = TSimd.Multiply(TSimd.Subtract(TSimd.Load(x + i), means), scales);
            var shift = bias is null ? TSimd.Create(0f) : TSimd.Load(bias + i);
            TSimd.Store(TSimd.MultiplyAdd(normal, TSimd.Load(weight + i), shift), output + i);
        }

        for (; i < length; i++) output[i] = (x[i] - mean) * scale * weight[i] + (bias is null ? 0f : bias[i]);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Add(float* x, float* y, int length)
    {
        for (var i = 0; i < length; i += TSimd.Width) TSimd.Store(TSimd.Add(TSimd.Load(x + i), TSimd.Load(y + i)), x + i);
    }

    public override void Activate(ActivationFunction function, float* x, int length)
    {
        switch (function)
        {
            case ActivationFunction.GeluNew:
            case ActivationFunction.GeluPytorchTanh:
                GeluTanh(x, length);
                break;
            case ActivationFunction.Gelu:
                GeluErf(x, length);
                break;
            case ActivationFunction.Relu:
                for (var i = 0; i < length; i += TSimd.Width) TSimd.Store(TSimd.Max(TSimd.Create(0f), TSimd.Load(x + i)), x + i);
                break;
            case ActivationFunction.Silu:
                Silu(x, length);
                break;
            case ActivationFunction.Tanh:
                for (var i = 0; i < length; i++) x[i] = MathF.Tanh(x[i]);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(function), function, "No such activation function.");
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Softmax(float* x, int length, float scale)
    {
        var largest = Largest(x, length) * scale;
        var scales = TSimd.Create(scale);
        var shift = TSimd.Create(-largest);
        var sums = TSimd.Create(0f);
        var sum = 0f;
        var i = 0;
        for (; i <= length - TSimd.Width; i += TSimd.Width)
        {
            var e = SimdMath<TSimd, TVector>.Exp(TSimd.MultiplyAdd(TSimd.Load(x + i), scales, shift));
            sums = TSimd.Add(sums, e);
            TSimd.Store(e, x + i);
        }

        for (; i < length; i++)
        {
            x[i] = MathF.Exp(x[i] * scale - largest);
            sum += x[i];
        }

        Scale(x, length, 1f / (sum + TSimd.Sum(sums)));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override float LogSumExp(float* x, int length)
    {
        var largest = Largest(x, length);
        var shift = TSimd.Create(largest);
        var sums = TSimd.Create(0f);
        var sum = 0f;
        var i = 0;
        for (; i <= length - TSimd.Width; i += TSimd.Width)
            sums = TSimd.Add(sums, SimdMath<TSimd, TVector>.Exp(TSimd.Subtract(TSimd.Load(x + i), shift)));
        for (; i < length; i++) sum += MathF.Exp(x[i] - largest);
        return largest + MathF.Log(sum + TSimd.Sum(sums));
    }

    // 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) with 0.5 (1 + tanh(u)) = sigmoid(2u).
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void GeluTanh(float* x, int length)
    {
        var twice = TSimd.Create(1.5957691216f);
        var cubic = TSimd.Create(1.5957691216f * 0.044715f);
        for (var i = 0; i < length; i += TSimd.Width)
        {
            var v = TSimd.Load(x + i);
            var u = TSimd.Multiply(v, TSimd.MultiplyAdd(cubic, TSimd.Multiply(v, v), twice));
            TSimd.Store(TSimd.Multiply(v, SimdMath<TSimd, TVector>.Sigmoid(u)), x + i);
        }
    }

    // 0.5 x (1 + erf(x / sqrt(2))) = max(x, 0) - 0.5 |x| (1 - erf(|x| / sqrt(2))), which loses nothing below zero.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void GeluErf(float* x, int length)
    {
        var zero = TSimd.Create(0f);
        for (var i = 0; i < length; i += TSimd.Width)
        {
            var v = TSimd.Load(x + i);
            var magnitude = TSimd.Max(TSimd.Subtract(zero, v), v);
            var complement = SimdMath<TSimd, TVector>.ErrorComplement(TSimd.Multiply(magnitude, TSimd.Create(0.70710678f)));
            TSimd.Store(TSimd.MultiplyAdd(TSimd.Multiply(magnitude, TSimd.Create(-0.5f)), complement, TSimd.Max(zero, v)), x + i);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Silu(float* x, int length)
    {
        for (var i = 0; i < length; i += TSimd.Width)
        {
            var v = TSimd.Load(x + i);
            TSimd.Store(TSimd.Multiply(v, SimdMath<TSimd, TVector>.Sigmoid(v)), x + i);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Largest(float* x, int length)
    {
        var largest = TSimd.Create(float.NegativeInfinity);
        var i = 0;
        for (; i <= length - TSimd.Width; i += TSimd.Width) largest = TSimd.Max(largest, TSimd.Load(x + i));
        var result = TSimd.Largest(largest);
        for (; i < length; i++) result = MathF.Max(result, x[i]);
        return result;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Scale(float* x, int length, float factor)
    {
        var factors = TSimd.Create(factor);
        var i = 0;
        for (; i <= length - TSimd.Width; i += TSimd.Width) TSimd.Store(TSimd.Multiply(TSimd.Load(x + i), factors), x + i);
        for (; i < length; i++) x[i] *= factor;
    }
}
