// pytorch_model.bin as PyTorch writes it for GPT2LMHeadModel: lm_head.weight is a second name of wte's storage.

using NanoGpt.Formats;

namespace NanoGpt.Tests.Formats;

/// <summary>Writes a state dict, or a part of one, as torch.save does.</summary>
internal static class TorchStateWriter
{
    public const string FileName = "pytorch_model.bin", IndexFileName = "pytorch_model.bin.index.json";

    /// <summary>Makes a folder like <paramref name="source"/> with its weights as pytorch_model.bin, or as so many shards of it.</summary>
    public static void WriteFolder(string source, string folder, int shards = 1)
    {
        Directory.CreateDirectory(folder);
        File.Copy(Path.Combine(source, ConfigJson.FileName), Path.Combine(folder, ConfigJson.FileName));
        using var weights = ModelFolder.Open(source);
        var names = weights.Tensors.Keys.ToArray();
        if (shards == 1)
        {
            Write(Path.Combine(folder, FileName), weights, names);
            return;
        }

        var map = new Dictionary<string, string>();
        foreach (var (part, number) in names.Chunk(names.Length / shards + 1).Select((part, number) => (part, number)))
        {
            var file = $"pytorch_model-{number + 1:d5}-of-{shards:d5}.bin";
            foreach (var name in Write(Path.Combine(folder, file), weights, part)) map.Add(name, file);
        }

        File.WriteAllText(Path.Combine(folder, IndexFileName), ShardIndex.Write(totalSize: 0, map));
    }

    private static List<string> Write(string path, GPTWeights weights, string[] names)
    {
        var state = new Dictionary<string, object?>();
        for (var i = 0; i < names.Length; i++)
        {
            var tensor = weights[names[i]];
            var shape = tensor.Shape.ToArray();
            var value = new PickleTensor(new PickleStorage(tensor.Type, $"{i}", tensor.ElementCount), 0, shape, shape.Length == 2 ? [shape[1], 1] : [1]);
            state.Add("transformer." + names[i], value);
            if (names[i] == "wte.weight") state.Add("lm_head.weight", value);
        }

        using var stream = new FileStream(path, FileMode.CreateNew);
        var zip = new StoredZipWriter(stream);
        var pickle = new PickleWriter().Value(state).Finish();
        zip.Add("archive/data.pkl", pickle.Length, entry => entry.Write(pickle));
        for (var i = 0; i < names.Length; i++)
        {
            var tensor = weights[names[i]];
            zip.Add($"archive/data/{i}", tensor.ByteCount, entry => TensorStream.Write(entry, tensor, tensor.IsInOut));
        }

        zip.Finish();
        return [.. state.Keys];
    }
}
