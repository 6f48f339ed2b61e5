// Where a tensor's numbers lie, for our own arithmetic on them.

using static TorchSharp.torch;

namespace NanoGpt.Native;

/// <summary>The memory of tensors of float32 on the CPU that are contiguous.</summary>
internal static unsafe class TensorMemory
{
    /// <summary>The longest tensor: TorchSharp gives memory out as spans of bytes.</summary>
    public const long MaxElements = int.MaxValue / sizeof(float);

    /// <summary>The first number. The memory is libtorch's: the garbage collector never moves it, and it is there while the tensor is.</summary>
    public static float* Of(Tensor tensor)
    {
        fixed (byte* first = tensor.bytes) return (float*)first;
    }
}
