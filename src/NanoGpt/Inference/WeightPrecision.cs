// How the managed engine keeps the weights it multiplies by.

namespace NanoGpt.Inference;

/// <summary>How the CPU engine stores the matrices of a model. Biases, layer norms and positions stay float32.</summary>
internal enum WeightPrecision
{
    /// <summary>4 bytes a weight; the reference.</summary>
    Float32,

    /// <summary>2 bytes a weight: the upper half of a float32, rounded to nearest even. Arithmetic stays float32.</summary>
    BFloat16,

    /// <summary>1 byte a weight and one float32 scale for each output. Activations are rounded to 16 bits.</summary>
    Int8,
}
