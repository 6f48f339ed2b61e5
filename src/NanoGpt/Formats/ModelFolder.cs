// A Hugging Face model folder: config.json beside model.safetensors, whole or in shards. Opens into GPTWeights that point
// into the mapped files; saves so that transformers opens the folder too. Tokenizer files are not its business.

using NanoGpt.IO;

namespace NanoGpt.Formats;

/// <summary>Opens and saves model folders.</summary>
internal static partial class ModelFolder
{
    public const string WeightsFile = "model.safetensors";
    public const string GenerationConfigFile = "generation_config.json";

    /// <summary>Above this many bytes of weights a model is saved in shards: 5 GB.</summary>
    public const long DefaultMaxShardSize = 5_000_000_000;

    /// <summary>Opens a model folder. Names, types and shapes are checked against config.json before any weight is read.</summary>
    /// <param name="folder">A folder with config.json and weights.</param>
    /// <param name="ignoreUnexpected">Whether tensors that GPT-2 does not have are passed over instead of refused.</param>
    /// <returns>Weights that point into mapped files: they cost no memory until they are read. Dispose them to unmap.</returns>
    /// <exception cref="ModelFormatException">Something is missing, broken, or does not belong together.</exception>
    public static GPTWeights Open(string folder, bool ignoreUnexpected = false)
    {
        if (!Directory.Exists(folder)) throw new ModelFormatException($"There is no folder '{folder}'.");
        Recover(folder);
        var configPath = Path.Combine(folder, ConfigJson.FileName);
        if (!File.Exists(configPath)) throw new ModelFormatException($"{folder} has no {ConfigJson.FileName}. Is it a model folder?");
        var config = ConfigJson.ReadFile(configPath);

        var single = Path.Combine(folder, WeightsFile);
        if (File.Exists(single)) return OpenSingle(config, configPath, single, ignoreUnexpected);
        var index = Path.Combine(folder, ShardIndex.FileName);
        if (File.Exists(index)) return OpenShards(config, configPath, folder, index, ignoreUnexpected);
        throw new ModelFormatException($"{folder} has no weights: {WeightsFile} or {ShardIndex.FileName} is needed.");
    }

    private static GPTWeights OpenSingle(GPTConfig config, string configPath, string path, bool ignoreUnexpected)
    {
        var file = SafetensorsFile.Open(path);
        try
        {
            var names = new StateDict(config, path, configPath, isConv1D: true);
            return names.Bind(file.Tensors.Values.Select(tensor => Stored(file, tensor)), file, ignoreUnexpected);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static GPTWeights OpenShards(GPTConfig config, string configPath, string folder, string indexPath, bool ignoreUnexpected)
    {
        var map = ShardIndex.ReadFile(indexPath);
        var shards = new Shards();
        try
        {
            foreach (var name in map.Values.Distinct().Order(StringComparer.Ordinal))
            {
                if (!File.Exists(Path.Combine(folder, name)))
                    throw new ModelFormatException($"{indexPath} names the shard {UntrustedText.Quote(name)}, which is not there. Download the whole folder.");
                shards.Files.Add(name, SafetensorsFile.Open(Path.Combine(folder, name)));
            }

            CheckPlaces(map, shards.Files, indexPath);
            var stored = shards.Files.Values.SelectMany(file => file.Tensors.Values.Select(tensor => Stored(file, tensor)));
            return new StateDict(config, indexPath, configPath, isConv1D: true).Bind(stored, shards, ignoreUnexpected);
        }
        catch
        {
            shards.Dispose();
            throw;
        }
    }

    /// <summary>The index and the shards must tell the same story, tensor by tensor.</summary>
    private static void CheckPlaces(Dictionary<string, string> map, Dictionary<string, SafetensorsFile> shards, string indexPath)
    {
        var lost = map.Where(entry => !shards[entry.Value].Tensors.ContainsKey(entry.Key)).Select(entry => entry.Key).ToList();
        var unlisted = shards.SelectMany(shard => shard.Value.Tensors.Keys.Where(name => !map.TryGetValue(name, out var file) || file != shard.Key)).ToList();
        if (lost.Count == 0 && unlisted.Count == 0) return;
        var message = $"{indexPath} does not describe its shards.";
        if (lost.Count > 0) message += $" Not in the shard that it names ({lost.Count}): {UntrustedText.List(lost)}.";
        if (unlisted.Count > 0) message += $" In a shard but not in the index ({unlisted.Count}): {UntrustedText.List(unlisted)}.";
        throw new ModelFormatException(message + " Download the whole folder again.");
    }

    private static unsafe StoredTensor Stored(SafetensorsFile file, TensorInfo tensor) =>
        new(tensor.Name, tensor.Type, tensor.Shape, file.Data(tensor), file: file.File);

    private static void Recover(string folder)
    {
        try
        {
            AtomicFolder.Recover(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ModelFormatException($"{folder} holds a save that was interrupted after its commit, and it cannot be finished: {e.Message}", e);
        }
    }

    /// <summary>The open shards of one model.</summary>
    private sealed class Shards : IDisposable
    {
        public Dictionary<string, SafetensorsFile> Files { get; } = [];

        public void Dispose()
        {
            foreach (var file in Files.Values) file.Dispose();
        }
    }
}
