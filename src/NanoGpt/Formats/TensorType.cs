// The element types that a safetensors header may name.

namespace NanoGpt.Formats;

/// <summary>Element type of a stored tensor, by its name in safetensors.</summary>
internal enum TensorType
{
    Bool, U8, I8, F8E5M2, F8E4M3, I16, U16, F16, BF16, I32, U32, F32, I64, U64, F64,
}
