// The number formats a user may ask for. What each part does with one, it says itself.

namespace NanoGpt;

/// <summary>The number format of weights (<see cref="PretrainedOptions.Dtype"/>) or of training's matrix products.</summary>
public enum Dtype
{
    /// <summary>32-bit floats: exact, and the default everywhere.</summary>
    Float32,

    /// <summary>bfloat16: half the memory, the range of float32, about 3 significant digits.</summary>
    BFloat16,

    /// <summary>IEEE half precision: on GPUs only.</summary>
    Float16,

    /// <summary>8-bit integers with one scale for each row: generation on the CPU only.</summary>
    Int8,
}
