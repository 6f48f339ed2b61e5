// Reads the reference values of the tests. A second, naive reader of safetensors on purpose: the one under test must not
// be what proves itself.

using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace NanoGpt.Tests;

/// <summary>All tensors of one file of reference data: F32 and I64, in memory.</summary>
internal sealed class ReferenceTensors
{
    private readonly Dictionary<string, (string Type, long[] Shape, byte[] Bytes)> _tensors = [];

    public ReferenceTensors(params string[] path)
    {
        var file = File.ReadAllBytes(Vectors.Path(path));
        var headerLength = (int)BinaryPrimitives.ReadUInt64LittleEndian(file);
        using var header = JsonDocument.Parse(file.AsMemory(8, headerLength));
        foreach (var tensor in header.RootElement.EnumerateObject().Where(tensor => tensor.Name != "__metadata__"))
        {
            var offsets = tensor.Value.GetProperty("data_offsets").EnumerateArray().Select(offset => offset.GetInt32()).ToArray();
            _tensors[tensor.Name] = (
                tensor.Value.GetProperty("dtype").GetString()!,
                [.. tensor.Value.GetProperty("shape").EnumerateArray().Select(size => size.GetInt64())],
                file[(8 + headerLength + offsets[0])..(8 + headerLength + offsets[1])]);
        }
    }

    public IEnumerable<string> Names => _tensors.Keys;

    public bool Contains(string name) => _tensors.ContainsKey(name);

    public long[] Shape(string name) => _tensors[name].Shape;

    public float[] Floats(string name) => Values<float>(name, "F32");

    public long[] Longs(string name) => Values<long>(name, "I64");

    private T[] Values<T>(string name, string type)
        where T : unmanaged
    {
        var (found, _, bytes) = _tensors[name];
        return found == type ? MemoryMarshal.Cast<byte, T>(bytes).ToArray() : throw new InvalidOperationException($"{name} is {found}.");
    }
}
