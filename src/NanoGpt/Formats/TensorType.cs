// The element types that a safetensors header may name, and how large they are.

namespace NanoGpt.Formats;

/// <summary>Element type of a stored tensor. In the order of the reference implementation, which sorts files by it.</summary>
internal enum TensorType
{
    Bool, F4, F6E2M3, F6E3M2, U8, I8, F8E5M2, F8E4M3, F8E8M0, F8E4M3Fnuz, F8E5M2Fnuz,
    I16, U16, F16, BF16, I32, U32, F32, C64, F64, I64, U64,
}

/// <summary>Names and sizes of <see cref="TensorType"/>.</summary>
internal static class TensorTypes
{
    private static readonly (TensorType Type, string Name, int Bits)[] All =
    [
        (TensorType.Bool, "BOOL", 8), (TensorType.F4, "F4", 4),
        (TensorType.F6E2M3, "F6_E2M3", 6), (TensorType.F6E3M2, "F6_E3M2", 6),
        (TensorType.U8, "U8", 8), (TensorType.I8, "I8", 8),
        (TensorType.F8E5M2, "F8_E5M2", 8), (TensorType.F8E4M3, "F8_E4M3", 8), (TensorType.F8E8M0, "F8_E8M0", 8),
        (TensorType.F8E4M3Fnuz, "F8_E4M3FNUZ", 8), (TensorType.F8E5M2Fnuz, "F8_E5M2FNUZ", 8),
        (TensorType.I16, "I16", 16), (TensorType.U16, "U16", 16), (TensorType.F16, "F16", 16), (TensorType.BF16, "BF16", 16),
        (TensorType.I32, "I32", 32), (TensorType.U32, "U32", 32), (TensorType.F32, "F32", 32),
        (TensorType.C64, "C64", 64), (TensorType.F64, "F64", 64), (TensorType.I64, "I64", 64), (TensorType.U64, "U64", 64),
    ];

    /// <summary>The name in a safetensors header, e.g. <c>BF16</c>.</summary>
    public static string Name(this TensorType type) => All[(int)type].Name;

    /// <summary>Size of one element in bits.</summary>
    public static int Bits(this TensorType type) => All[(int)type].Bits;

    /// <summary>Whether a GPT's parameters may be stored so: the floating-point types that PyTorch trains in.</summary>
    public static bool HoldsWeights(this TensorType type) =>
        type is TensorType.F32 or TensorType.F16 or TensorType.BF16 or TensorType.F64;

    /// <summary>The type of a name in a safetensors header, case sensitive; null where there is none.</summary>
    public static TensorType? Parse(string name)
    {
        foreach (var entry in All)
            if (entry.Name == name) return entry.Type;
        return null;
    }
}
