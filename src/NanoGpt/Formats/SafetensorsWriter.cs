// Writes safetensors files as the reference implementation would: the same order, the same header, so the same bytes for
// the same weights. Streams; holds no tensor.

using System.Buffers.Binary;
using System.Text.Encodings.Web;
using System.Text.Json;
using NanoGpt.IO;

namespace NanoGpt.Formats;

/// <summary>A tensor to be written.</summary>
/// <param name="Name">Its name in the file.</param>
/// <param name="Type">Its element type.</param>
/// <param name="Shape">Its shape; empty for a scalar.</param>
/// <param name="Write">Writes its bytes, little endian, rows contiguous.</param>
internal sealed record TensorToWrite(string Name, TensorType Type, long[] Shape, Action<Stream> Write)
{
    public long ByteCount { get; } = checked(Shape.Aggregate(1L, (product, size) => checked(product * size)) * Type.Bits() / 8);
}

/// <summary>Writes a whole safetensors file or nothing.</summary>
internal static class SafetensorsWriter
{
    private const int Alignment = 8;

    /// <summary>What transformers asks for before it loads a file: the layout of a PyTorch state dict.</summary>
    private static readonly Dictionary<string, string> PyTorchFormat = new() { ["format"] = "pt" };

    /// <summary>Writes <paramref name="tensors"/> to <paramref name="path"/>, atomically.</summary>
    /// <param name="path">The file to make or replace.</param>
    /// <param name="tensors">In any order; the file has its own.</param>
    /// <param name="metadata">The header's <c>__metadata__</c>; <c>format: pt</c> unless given.</param>
    public static void Write(string path, IEnumerable<TensorToWrite> tensors, IReadOnlyDictionary<string, string>? metadata = null) =>
        AtomicFile.Write(path, stream => Write(stream, tensors, metadata));

    /// <summary>Writes <paramref name="tensors"/> to a stream.</summary>
    public static void Write(Stream stream, IEnumerable<TensorToWrite> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        // Wide elements first, so that each tensor is aligned to its element; then by name.
        var inOrder = tensors.OrderByDescending(t => t.Type).ThenBy(t => t.Name, StringComparer.Ordinal).ToList();
        var header = Header(inOrder, metadata ?? PyTorchFormat);
        Span<byte> length = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)header.Length);
        stream.Write(length);
        stream.Write(header);

        foreach (var tensor in inOrder)
        {
            var before = stream.Position;
            tensor.Write(stream);
            var written = stream.Position - before;
            if (written != tensor.ByteCount)
                throw new InvalidOperationException($"Tensor '{tensor.Name}' wrote {written} bytes; its type and shape need {tensor.ByteCount}.");
        }
    }

    private static byte[] Header(List<TensorToWrite> tensors, IReadOnlyDictionary<string, string> metadata)
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            if (metadata.Count > 0)
            {
                json.WriteStartObject("__metadata__");
                foreach (var (key, value) in metadata.OrderBy(entry => entry.Key, StringComparer.Ordinal)) json.WriteString(key, value);
                json.WriteEndObject();
            }

            var offset = 0L;
            foreach (var tensor in tensors)
            {
                json.WriteStartObject(tensor.Name);
                json.WriteString("dtype", tensor.Type.Name());
                WriteNumbers(json, "shape", tensor.Shape);
                WriteNumbers(json, "data_offsets", [offset, offset + tensor.ByteCount]);
                json.WriteEndObject();
                offset += tensor.ByteCount;
            }

            json.WriteEndObject();
        }

        while (bytes.Length % Alignment != 0) bytes.WriteByte((byte)' ');
        return bytes.ToArray();
    }

    private static void WriteNumbers(Utf8JsonWriter json, string name, long[] numbers)
    {
        json.WriteStartArray(name);
        foreach (var number in numbers) json.WriteNumberValue(number);
        json.WriteEndArray();
    }
}
