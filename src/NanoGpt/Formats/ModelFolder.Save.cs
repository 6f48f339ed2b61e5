// The other way of ModelFolder: weights of any origin into a folder that transformers opens. Streams each tensor into
// Hugging Face's layout, so that no second copy of the model is ever in memory.

using System.Globalization;
using NanoGpt.IO;

namespace NanoGpt.Formats;

internal static partial class ModelFolder
{
    /// <summary>Saves a model: config.json, generation_config.json, model.safetensors or shards with their index.</summary>
    /// <param name="folder">The folder, made where it does not exist. Files of it that are not the model's stay.</param>
    /// <param name="config">The config to write; the weights must fit it.</param>
    /// <param name="weights">The weights, in any layout; each keeps its element type.</param>
    /// <param name="maxShardSize">The most bytes of tensors in one file.</param>
    /// <param name="writeOthers">Writes more files into the folder it is given (a tokenizer's), to be part of the same commit.</param>
    /// <exception cref="CheckpointException">The folder could not be written. It still holds the old model, or all of the new one.</exception>
    public static void Save(
        string folder, GPTConfig config, GPTWeights weights, long maxShardSize = DefaultMaxShardSize, Action<string>? writeOthers = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxShardSize, 1);
        config.Validate();
        var shards = Split(ToWrite(config, weights), maxShardSize);
        try
        {
            AtomicFolder.Write(folder, Obsolete(folder), staging =>
            {
                WriteShards(staging, shards);
                var type = weights["wte.weight"].Type;
                AtomicFile.WriteAllText(Path.Combine(staging, ConfigJson.FileName), ConfigJson.Write(config, type));
                AtomicFile.WriteAllText(Path.Combine(staging, GenerationConfigFile), ConfigJson.WriteGenerationConfig(config));
                writeOthers?.Invoke(staging);
            });
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CheckpointException($"The model could not be saved to {folder}: {e.Message} The folder still holds the old model, or all of the new one.", e);
        }
    }

    /// <summary>The tensors as GPT2LMHeadModel names and lays them out. Zeros stand for the biases of a model without.</summary>
    private static List<TensorToWrite> ToWrite(GPTConfig config, GPTWeights weights)
    {
        var type = weights["wte.weight"].Type;
        var tensors = new List<TensorToWrite>();
        foreach (var (name, shape) in GPTWeights.Expected(config with { Bias = true }))
        {
            var isInOut = GPTWeights.IsConv1D(name);
            var storedShape = isInOut ? [shape[1], shape[0]] : shape;
            var storedName = name == "lm_head.weight" ? name : "transformer." + name;
            if (!weights.Tensors.TryGetValue(name, out var tensor))
            {
                if (config.Bias || !name.EndsWith(".bias", StringComparison.Ordinal))
                    throw new ArgumentException($"The weights have no '{name}', which the config asks for.", nameof(weights));
                tensors.Add(new TensorToWrite(storedName, type, storedShape, stream => stream.Write(new byte[shape[0] * type.Bits() / 8])));
                continue;
            }

            var (rows, columns) = shape.Length == 2 ? (shape[0], shape[1]) : (1, shape[0]);
            if (tensor.Rows != rows || tensor.Columns != columns)
                throw new ArgumentException($"'{name}' is [{tensor.Rows}, {tensor.Columns}]; the config asks for [{rows}, {columns}].", nameof(weights));
            tensors.Add(new TensorToWrite(storedName, tensor.Type, storedShape, stream => TensorStream.Write(stream, tensor, isInOut)));
        }

        return tensors;
    }

    /// <summary>Fills shards in state-dict order; a tensor that is larger than a shard gets one of its own.</summary>
    private static List<List<TensorToWrite>> Split(List<TensorToWrite> tensors, long maxShardSize)
    {
        var shards = new List<List<TensorToWrite>> { new() };
        var size = 0L;
        foreach (var tensor in tensors)
        {
            if (shards[^1].Count > 0 && size + tensor.ByteCount > maxShardSize)
            {
                shards.Add([]);
                size = 0;
            }

            shards[^1].Add(tensor);
            size += tensor.ByteCount;
        }

        return shards;
    }

    private static void WriteShards(string folder, List<List<TensorToWrite>> shards)
    {
        if (shards.Count == 1)
        {
            SafetensorsWriter.Write(Path.Combine(folder, WeightsFile), shards[0]);
            return;
        }

        var files = new Dictionary<string, string>();
        for (var i = 0; i < shards.Count; i++)
        {
            var name = string.Create(CultureInfo.InvariantCulture, $"model-{i + 1:d5}-of-{shards.Count:d5}.safetensors");
            SafetensorsWriter.Write(Path.Combine(folder, name), shards[i]);
            foreach (var tensor in shards[i]) files.Add(tensor.Name, name);
        }

        var totalSize = shards.Sum(shard => shard.Sum(tensor => tensor.ByteCount));
        AtomicFile.WriteAllText(Path.Combine(folder, ShardIndex.FileName), ShardIndex.Write(totalSize, files));
    }

    /// <summary>The weights files that a new save replaces, whichever form the old one had.</summary>
    private static IEnumerable<string> Obsolete(string folder) => Directory.Exists(folder)
        ? Directory.GetFiles(folder, "model-?????-of-?????.safetensors").Select(path => Path.GetFileName(path)!)
            .Append(WeightsFile).Append(ShardIndex.FileName)
        : [];
}
