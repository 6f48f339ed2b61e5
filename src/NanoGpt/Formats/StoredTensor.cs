// A tensor as some checkpoint names and stores it, before anyone has judged whether it is one of ours.

using NanoGpt.IO;

namespace NanoGpt.Formats;

/// <summary>A tensor of a checkpoint of any kind.</summary>
/// <param name="name">Its name in the checkpoint.</param>
/// <param name="type">Its element type.</param>
/// <param name="shape">Its shape.</param>
/// <param name="data">Its first byte.</param>
/// <param name="isTransposed">Whether its two dimensions are swapped in memory: a view of a transposed storage.</param>
/// <param name="file">The mapped file it points into, if any.</param>
internal sealed unsafe class StoredTensor(
    string name, TensorType type, long[] shape, byte* data, bool isTransposed = false, MappedFile? file = null)
{
    public string Name => name;

    public TensorType Type => type;

    public long[] Shape => shape;

    public byte* Data => data;

    public bool IsTransposed => isTransposed;

    public MappedFile? File => file;

    /// <summary>The number that a tensor without dimensions is.</summary>
    /// <exception cref="ModelFormatException">Its type is neither a float's nor int64.</exception>
    public double ReadScalar() => type switch
    {
        TensorType.I64 => *(long*)data,
        TensorType.F64 => *(double*)data,
        _ when type.HoldsWeights() => new WeightTensor(name, type, [], false, data, file).ReadElement(0),
        _ => throw new ModelFormatException($"{UntrustedText.Quote(name)} is a number of type {type.Name()}, which is not supported."),
    };
}
