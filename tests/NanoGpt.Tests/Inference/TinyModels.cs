// The tiny GPT-2s of Vectors/tiny-gpt2 and their reference values, for the engine's tests. Reads trusted files only and
// checks nothing: the library's own readers have tests of their own.

using System.Buffers.Binary;
using System.Text.Json;
using NanoGpt.Formats;
using NanoGpt.Numerics;

namespace NanoGpt.Tests.Inference;

/// <summary>The tensors of one safetensors file, in unmanaged memory for the life of the object.</summary>
internal sealed unsafe class TensorFile : IDisposable
{
    private readonly NativeBuffer bytes;

    public TensorFile(string path)
    {
        var content = File.ReadAllBytes(path);
        var headerLength = (int)BinaryPrimitives.ReadInt64LittleEndian(content);
        bytes = new NativeBuffer(content.Length);
        content.CopyTo(new Span<byte>(bytes.Bytes, content.Length));
        using var header = JsonDocument.Parse(content.AsMemory(8, headerLength));
        foreach (var entry in header.RootElement.EnumerateObject().Where(entry => entry.Name != "__metadata__"))
        {
            var shape = entry.Value.GetProperty("shape").EnumerateArray().Select(size => size.GetInt64()).ToArray();
            var type = Enum.Parse<TensorType>(entry.Value.GetProperty("dtype").GetString()!, ignoreCase: true);
            Tensors[entry.Name] = (type, shape, (nint)(bytes.Bytes + 8 + headerLength + entry.Value.GetProperty("data_offsets")[0].GetInt64()));
        }
    }

    public Dictionary<string, (TensorType Type, long[] Shape, nint Data)> Tensors { get; } = [];

    public long[] Shape(string name) => Tensors[name].Shape;

    public float[] Floats(string name) => Read<float>(name);

    public int[] Ids(string name) => Array.ConvertAll(Read<long>(name), id => (int)id);

    public void Dispose() => bytes.Dispose();

    private T[] Read<T>(string name)
        where T : unmanaged
    {
        var (_, shape, data) = Tensors[name];
        return new ReadOnlySpan<T>((void*)data, (int)shape.Aggregate(1L, (a, b) => a * b)).ToArray();
    }
}

/// <summary>Opens the tiny models.</summary>
internal static unsafe class TinyModels
{
    /// <summary>The folders with weights, and where the reference values of each lie.</summary>
    public static readonly (string Folder, string Reference)[] All =
    [
        ("prefixed-tied", "reference-base"), ("plain-buffers", "reference-base"), ("with-lm-head", "reference-base"),
        ("sharded", "reference-base"), ("f16", "f16"), ("bf16", "bf16"), ("untied", "untied"), ("vocab50257", "vocab50257"),
    ];

    public static GPTWeights Open(string folder, Func<GPTConfig, GPTConfig>? change = null)
    {
        var config = ReadConfig(Vectors.Path("tiny-gpt2", folder, "config.json"));
        if (change is not null) config = change(config);
        var files = Directory.GetFiles(Vectors.Path("tiny-gpt2", folder), "model*.safetensors").Select(path => new TensorFile(path)).ToArray();
        var stored = files.SelectMany(file => file.Tensors).ToDictionary(entry => Canonical(entry.Key), entry => entry.Value);
        var tensors = GPTWeights.Expected(config).ToDictionary(
            expected => expected.Name,
            expected => new WeightTensor(
                expected.Name, stored[expected.Name].Type, stored[expected.Name].Shape, GPTWeights.IsConv1D(expected.Name),
                (byte*)stored[expected.Name].Data));
        return new GPTWeights(config, tensors, new Owner(files));
    }

    private static string Canonical(string name) => name.StartsWith("transformer.", StringComparison.Ordinal) ? name[12..] : name;

    private static GPTConfig ReadConfig(string path)
    {
        using var json = JsonDocument.Parse(File.ReadAllText(path));
        var root = json.RootElement;
        return new GPTConfig
        {
            VocabSize = root.GetProperty("vocab_size").GetInt32(),
            BlockSize = root.GetProperty("n_positions").GetInt32(),
            NLayer = root.GetProperty("n_layer").GetInt32(),
            NHead = root.GetProperty("n_head").GetInt32(),
            NEmbd = root.GetProperty("n_embd").GetInt32(),
            TieWordEmbeddings = !root.TryGetProperty("tie_word_embeddings", out var tied) || tied.GetBoolean(),
        };
    }

    private sealed class Owner(TensorFile[] files) : IDisposable
    {
        public void Dispose()
        {
            foreach (var file in files) file.Dispose();
        }
    }
}
