// Where a parameter and its gradient lie.

namespace NanoGpt.Backpropagation;

/// <summary>A parameter's memory and its gradient's, which belong to somebody else. Matrices are (out, in), row by row.</summary>
/// <param name="value">The parameter; null where a model has none of that name.</param>
/// <param name="gradient">Its gradient; null where none is wanted.</param>
internal readonly unsafe struct Weight(float* value, float* gradient)
{
    public float* Value => value;

    public float* Gradient => gradient;
}
