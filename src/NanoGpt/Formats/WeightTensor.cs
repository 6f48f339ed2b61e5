// One parameter of a GPT as it lies in memory, wherever that memory is: a mapped safetensors file, an entry of a .pt
// archive, the storage of a torch tensor. Every reader of weights (network, engine, exporter) goes through here, so that
// conversion and transposition are written, and proved, once.

using NanoGpt.IO;

namespace NanoGpt.Formats;

/// <summary>A parameter by its canonical name, with its bytes where they lie. Valid as long as its owner is not disposed.</summary>
/// <param name="name">Hugging Face's name without the prefix: <c>h.0.attn.c_attn.weight</c>.</param>
/// <param name="type">Element type as stored: F32, F16, BF16 or F64.</param>
/// <param name="shape">Shape as stored.</param>
/// <param name="isInOut">True for a matrix stored [in, out] (Hugging Face's Conv1D), false for [out, in] (nn.Linear).</param>
/// <param name="data">First byte, little endian, rows contiguous. Need not be aligned.</param>
/// <param name="file">The mapped file that <paramref name="data"/> points into, or null for memory of another kind.</param>
internal sealed unsafe class WeightTensor(
    string name, TensorType type, long[] shape, bool isInOut, byte* data, MappedFile? file = null)
{
    /// <summary>Rows and columns of a transposed piece: both sides of it stay in the first-level cache.</summary>
    private const int Tile = 64;

    /// <summary>From this many elements on, several threads share a copy.</summary>
    private const long ParallelFrom = 1 << 20;

    public string Name => name;

    public TensorType Type => type;

    public IReadOnlyList<long> Shape => shape;

    public bool IsInOut => isInOut;

    public byte* Data
    {
        get
        {
            file?.ThrowIfDisposed();
            return data;
        }
    }

    public long ElementCount { get; } = shape.Aggregate(1L, (product, size) => checked(product * size));

    /// <summary>Size as stored.</summary>
    public long ByteCount => ElementCount * ElementSize;

    /// <summary>Size of one element as stored, in bytes.</summary>
    public int ElementSize => type.Bits() / 8;

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
        ArgumentOutOfRangeException.ThrowIfNegative(firstRow);
        ArgumentOutOfRangeException.ThrowIfNegative(rowCount);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(rowCount, Rows - firstRow);
        file?.ThrowIfDisposed();

        var blocks = (rowCount + Tile - 1) / Tile;
        if (rowCount * Columns < ParallelFrom || blocks == 1)
        {
            for (var block = 0L; block < blocks; block++) CopyBlock(block);
        }
        else
        {
            Parallel.For(0, blocks, CopyBlock);
        }

        void CopyBlock(long block)
        {
            var first = block * Tile;
            var count = (int)Math.Min(Tile, rowCount - first);
            if (isInOut) CopyTransposed(destination + first * Columns, firstRow + first, count);
            else CopyPlain(destination + first * Columns, firstRow + first, count);
        }
    }

    /// <summary>Writes all of it as float32 in the [out, in] view.</summary>
    /// <param name="destination">Room for <see cref="ElementCount"/> values.</param>
    public void CopyTo(float* destination) => CopyRows(destination, 0, Rows);

    /// <summary>Says that this tensor is not needed soon: its pages of a mapped file stop counting as resident memory.</summary>
    public void Release() => file?.Discard(data, ByteCount);

    /// <summary>As <see cref="Release"/> for some rows of the [out, in] view, where these lie side by side.</summary>
    public void ReleaseRows(long firstRow, long rowCount)
    {
        if (!isInOut) file?.Discard(data + firstRow * Columns * ElementSize, rowCount * Columns * ElementSize);
    }

    /// <summary>One element, by its place in the stored order.</summary>
    internal float ReadElement(long index) => type switch
    {
        TensorType.F32 => ((float*)Data)[index],
        TensorType.F16 => (float)((Half*)Data)[index],
        TensorType.BF16 => BitConverter.Int32BitsToSingle(((ushort*)Data)[index] << 16),
        TensorType.F64 => (float)((double*)Data)[index],
        _ => throw new InvalidOperationException($"{name}: {type} holds no weights."),
    };

    private void CopyPlain(float* destination, long firstRow, int rowCount)
    {
        var remaining = rowCount * Columns;
        var source = data + firstRow * Columns * ElementSize;
        while (remaining > 0)
        {
            var count = (int)Math.Min(remaining, 1 << 24); // a span's length is an int
            FloatConversion.ToSingle(type, source, new Span<float>(destination, count));
            destination += count;
            source += (long)count * ElementSize;
            remaining -= count;
        }
    }

    /// <summary>A block of at most <see cref="Tile"/> rows of the view, which are that many columns of the stored matrix.</summary>
    private void CopyTransposed(float* destination, long firstRow, int rowCount)
    {
        var tile = stackalloc float[Tile * Tile];
        for (var firstColumn = 0L; firstColumn < Columns; firstColumn += Tile)
        {
            var columnCount = (int)Math.Min(Tile, Columns - firstColumn);
            for (var c = 0; c < columnCount; c++) // stored rows, widened side by side: tile (in, out)
            {
                var source = data + ((firstColumn + c) * Rows + firstRow) * ElementSize;
                FloatConversion.ToSingle(type, source, new Span<float>(tile + c * Tile, rowCount));
            }

            for (var r = 0; r < rowCount; r++) // (in, out) -> (out, in)
            {
                var row = destination + r * Columns + firstColumn;
                for (var c = 0; c < columnCount; c++) row[c] = tile[c * Tile + r];
            }
        }
    }
}
