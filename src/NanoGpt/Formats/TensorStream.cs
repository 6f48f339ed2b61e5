// A parameter into a stream in the layout that a file wants, without changing a bit of its numbers and without holding
// more of it than a few megabytes.

using System.Runtime.InteropServices;

namespace NanoGpt.Formats;

/// <summary>Streams the bytes of a <see cref="WeightTensor"/>.</summary>
internal static unsafe class TensorStream
{
    private const int BufferLength = 4 << 20;
    private const int Tile = 32;

    /// <summary>Writes <paramref name="tensor"/> as it is stored, or with rows and columns swapped.</summary>
    /// <param name="stream">Where to.</param>
    /// <param name="tensor">The parameter.</param>
    /// <param name="asInOut">Whether a matrix is to lie [in, out] (Hugging Face's Conv1D) and not [out, in].</param>
    public static void Write(Stream stream, WeightTensor tensor, bool asInOut)
    {
        if (tensor.Shape.Count != 2 || tensor.IsInOut == asInOut) WriteAsStored(stream, tensor);
        else if (tensor.ElementSize == sizeof(ushort)) WriteSwapped<ushort>(stream, tensor);
        else if (tensor.ElementSize == sizeof(uint)) WriteSwapped<uint>(stream, tensor);
        else WriteSwapped<ulong>(stream, tensor);
        tensor.Release();
    }

    private static void WriteAsStored(Stream stream, WeightTensor tensor)
    {
        for (var offset = 0L; offset < tensor.ByteCount; offset += BufferLength)
            stream.Write(new ReadOnlySpan<byte>(tensor.Data + offset, (int)Math.Min(BufferLength, tensor.ByteCount - offset)));
    }

    private static void WriteSwapped<T>(Stream stream, WeightTensor tensor) where T : unmanaged
    {
        long storedRows = tensor.Shape[0], storedColumns = tensor.Shape[1];
        var atOnce = (int)Math.Clamp(BufferLength / sizeof(T) / Math.Max(1, storedRows), 1, storedColumns);
        var buffer = new T[checked(atOnce * storedRows)]; // (columns of the stored matrix, its rows)
        for (var first = 0L; first < storedColumns; first += atOnce)
        {
            var count = (int)Math.Min(atOnce, storedColumns - first);
            fixed (T* destination = buffer) Swap((T*)tensor.Data + first, storedColumns, destination, storedRows, count);
            stream.Write(MemoryMarshal.AsBytes(buffer.AsSpan(0, checked((int)(count * storedRows)))));
        }
    }

    /// <summary>destination[c, r] = source[r, c], tile by tile so that both sides stay in the cache.</summary>
    private static void Swap<T>(T* source, long sourceStride, T* destination, long rows, int columns) where T : unmanaged
    {
        for (var firstRow = 0L; firstRow < rows; firstRow += Tile)
        {
            var lastRow = Math.Min(rows, firstRow + Tile);
            for (var firstColumn = 0; firstColumn < columns; firstColumn += Tile)
            {
                var lastColumn = Math.Min(columns, firstColumn + Tile);
                for (var c = firstColumn; c < lastColumn; c++)
                    for (var r = firstRow; r < lastRow; r++) destination[c * rows + r] = source[r * sourceStride + c];
            }
        }
    }
}
