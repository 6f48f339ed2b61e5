// A linear layer, y = x W^T + b, and its gradients: three matrix products.

using NanoGpt.Numerics;

namespace NanoGpt.Backpropagation;

/// <summary>Products with a weight that lies as (out, in).</summary>
/// <param name="bench">Threads and arithmetic.</param>
/// <param name="inputs">Columns of x.</param>
/// <param name="outputs">Columns of y.</param>
internal sealed unsafe class LinearPass(Workbench bench, int inputs, int outputs)
{
    /// <summary>y = x W^T + b, or y = x W^T + b + plus.</summary>
    /// <param name="rows">Tokens.</param>
    /// <param name="x">(rows, inputs).</param>
    /// <param name="weights">(outputs, inputs) and, or not, (outputs).</param>
    /// <param name="y">(rows, outputs).</param>
    /// <param name="plus">(rows, outputs), a residual connection; null for none.</param>
    public void Forward(int rows, float* x, LayerWeights weights, float* y, float* plus = null) => bench.Product.Multiply(
        new Matrix(x, rows, inputs), new Matrix(weights.Weight.Value, outputs, inputs).Transposed, new Matrix(y, rows, outputs),
        plus is null ? default : new Matrix(plus, rows, outputs), weights.Bias.Value);

    /// <summary>The gradient by x.</summary>
    /// <param name="rows">Tokens.</param>
    /// <param name="slope">(rows, outputs): the gradient by y.</param>
    /// <param name="weights">(outputs, inputs), and a bias that has no part in it.</param>
    /// <param name="inputGradient">(rows, inputs): gets it.</param>
    public void InputGradient(int rows, float* slope, LayerWeights weights, float* inputGradient) =>
        bench.Product.Multiply(new Matrix(slope, rows, outputs), new Matrix(weights.Weight.Value, outputs, inputs), new Matrix(inputGradient, rows, inputs));

    /// <summary>The gradients by weight and bias.</summary>
    /// <param name="rows">Tokens.</param>
    /// <param name="x">(rows, inputs), as on the way forward.</param>
    /// <param name="slope">(rows, outputs): the gradient by y.</param>
    /// <param name="weights">(outputs, inputs) and, or not, (outputs).</param>
    public void WeightGradient(int rows, float* x, float* slope, LayerWeights weights)
    {
        var gradient = new Matrix(weights.Weight.Gradient, outputs, inputs);
        bench.Product.Multiply(new Matrix(slope, rows, outputs).Transposed, new Matrix(x, rows, inputs), gradient, bench.AddsGradients ? gradient : default);
        if (weights.Bias.Gradient is not null)
            bench.Store(bench.SumOverRows(rows, outputs, outputs, (row, sum) => bench.Kernels.Add(slope + (nint)row * outputs, sum, outputs)), outputs, weights.Bias);
    }
}
