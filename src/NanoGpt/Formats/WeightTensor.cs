// One parameter of a GPT as it lies in memory, wherever that memory is: a mapped safetensors file, an entry of a .pt
// archive, the storage of a torch tensor. Every reader of weights (network, engine, exporter) goes through here, so that
// conversion and transposition are written, and proved, once.

namespace NanoGpt.Formats;

/// <summary>A parameter by its canonical name, with its bytes where they lie. Valid as long as its owner is not disposed.</summary>
/// <param name="name">Hugging Face's name without the prefix: <c>h.0.attn.c_attn.weight</c>.</param>
/// <param name="type">Element type as stored: F32, F16, BF16 or F64.</param>
/// <param name="shape">Shape as stored.</param>
/// <param name="isInOut">True for a matrix stored [in, out] (Hugging Face's Conv1D), false for [out, in] (nn.Linear).</param>
/// <param name="data">First byte, little endian, rows contiguous.</param>
internal sealed unsafe class WeightTensor(string name, TensorType type, long[] shape, bool isInOut, byte* data)
{
    public string Name => name;

    public TensorType Type => type;

    public IReadOnlyList<long> Shape => shape;

    public bool IsInOut => isInOut;

    public byte* Data => data;

    public long ElementCount { get; } = shape.Aggregate(1L, (product, size) => checked(product * size));

    /// <summary>Rows of the [out, in] view: the outputs of a matrix, the ids of an embedding; 1 for a vector.</summary>
    public long Rows => shape.Length == 2 ? shape[isInOut ? 1 : 0] : 1;

    /// <summary>Columns of the [out, in] view: the inputs of a matrix; the length of a vector.</summary>
    public long Columns => shape.Length == 2 ? shape[isInOut ? 0 : 1] : ElementCount;

    /// <summary>Writes <paramref name="rowCount"/> rows of the [out, in] view from <paramref name="firstRow"/> on, as float32.</summary>
    /// <param name="destination">Room for rowCount * Columns values.</param>
    /// <param name="firstRow">The first row of the [out, in] view.</param>
    /// <param name="rowCount">How many rows.</param>
    public void CopyRows(float* destination, long firstRow, long rowCount)
    {
        var columns = Columns;
        for (var r = 0L; r < rowCount; r++)
        {
            for (var c = 0L; c < columns; c++)
            {
                var index = isInOut ? c * Rows + firstRow + r : (firstRow + r) * columns + c;
                destination[r * columns + c] = ReadElement(index);
            }
        }
    }

    /// <summary>Writes all of it as float32 in the [out, in] view.</summary>
    /// <param name="destination">Room for <see cref="ElementCount"/> values.</param>
    public void CopyTo(float* destination) => CopyRows(destination, 0, Rows);

    private float ReadElement(long index) => type switch
    {
        TensorType.F32 => ((float*)data)[index],
        TensorType.F16 => (float)((Half*)data)[index],
        TensorType.BF16 => BitConverter.Int32BitsToSingle(((ushort*)data)[index] << 16),
        TensorType.F64 => (float)((double*)data)[index],
        _ => throw new InvalidOperationException($"{name}: {type} holds no weights."),
    };
}
