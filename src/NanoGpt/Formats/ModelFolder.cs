// A model on disk: Hugging Face's folder of config.json and safetensors (or pytorch_model.bin), whole or in shards, or
// nanoGPT's ckpt.pt. Opens into GPTWeights that point into the mapped files. Tokenizer files are not its business.

using NanoGpt.IO;

namespace NanoGpt.Formats;

/// <summary>Opens and saves model folders.</summary>
internal static partial class ModelFolder
{
    public const string WeightsFile = "model.safetensors";
    public const string GenerationConfigFile = "generation_config.json";

    /// <summary>Where weights may lie, the preferred one first.</summary>
    private static readonly string[] WeightsFiles = [WeightsFile, ShardIndex.FileName, TorchStateFile.FileName, TorchStateFile.IndexFileName];

    /// <summary>Above this many bytes of weights a model is saved in shards: 5 GB.</summary>
    public const long DefaultMaxShardSize = 5_000_000_000;

    /// <summary>Opens a model. Names, types and shapes are checked against its config before any weight is read.</summary>
    /// <param name="path">A folder with config.json and weights, a folder with nanoGPT's ckpt.pt, or such a file itself.</param>
    /// <param name="ignoreUnexpected">Whether tensors that GPT-2 does not have are passed over instead of refused.</param>
    /// <returns>Weights that point into mapped files: they cost no memory until they are read. Dispose them to unmap.</returns>
    /// <exception cref="ModelFormatException">Something is missing, broken, or does not belong together.</exception>
    public static GPTWeights Open(string path, bool ignoreUnexpected = false)
    {
        if (File.Exists(path)) return NanoGptCheckpoint.Open(path, ignoreUnexpected).Weights;
        if (!Directory.Exists(path)) throw new ModelFormatException($"There is no folder or file '{path}'.");
        Recover(path);

        var configPath = Path.Combine(path, ConfigJson.FileName);
        var nanoGpt = Path.Combine(path, NanoGptCheckpoint.FileName);
        var weights = WeightsFiles.FirstOrDefault(file => File.Exists(Path.Combine(path, file)));
        if (File.Exists(nanoGpt) && (weights is null || !File.Exists(configPath))) return NanoGptCheckpoint.Open(nanoGpt, ignoreUnexpected).Weights;
        if (!File.Exists(configPath)) throw new ModelFormatException($"{path} has no {ConfigJson.FileName}. Is it a model folder?");
        var config = ConfigJson.ReadFile(configPath);
        if (weights is null) throw new ModelFormatException($"{path} has no weights: it needs one of {string.Join(", ", WeightsFiles)}, {NanoGptCheckpoint.FileName}.");
        return OpenFiles(config, configPath, Path.Combine(path, weights), ignoreUnexpected);
    }

    private static GPTWeights OpenFiles(GPTConfig config, string configPath, string weightsPath, bool ignoreUnexpected)
    {
        var files = new OpenTensorFiles();
        try
        {
            if (weightsPath.EndsWith(".json", StringComparison.Ordinal)) OpenShards(weightsPath, files);
            else files.Add(Path.GetFileName(weightsPath), weightsPath);
            var stored = files.Values.SelectMany(file => file.Stored.Values);
            return new StateDict(config, weightsPath, configPath, isConv1D: true).Bind(stored, files, ignoreUnexpected);
        }
        catch
        {
            files.Dispose();
            throw;
        }
    }

    private static void OpenShards(string indexPath, OpenTensorFiles files)
    {
        var map = ShardIndex.ReadFile(indexPath);
        foreach (var name in map.Values.Distinct().Order(StringComparer.Ordinal))
        {
            var path = Path.Combine(Path.GetDirectoryName(indexPath)!, name);
            if (!File.Exists(path))
                throw new ModelFormatException($"{indexPath} names the shard {UntrustedText.Quote(name)}, which is not there. Download the whole folder.");
            files.Add(name, path);
        }

        CheckPlaces(map, files, indexPath);
    }

    /// <summary>The index and the shards must tell the same story, tensor by tensor.</summary>
    private static void CheckPlaces(Dictionary<string, string> map, OpenTensorFiles shards, string indexPath)
    {
        var lost = map.Where(entry => !shards[entry.Value].Stored.ContainsKey(entry.Key)).Select(entry => entry.Key).ToList();
        var unlisted = shards.SelectMany(shard => shard.Value.Stored.Keys.Where(name => !map.TryGetValue(name, out var file) || file != shard.Key)).ToList();
        if (lost.Count == 0 && unlisted.Count == 0) return;
        var message = $"{indexPath} does not describe its shards.";
        if (lost.Count > 0) message += $" Not in the shard that it names ({lost.Count}): {UntrustedText.List(lost)}.";
        if (unlisted.Count > 0) message += $" In a shard but not in the index ({unlisted.Count}): {UntrustedText.List(unlisted)}.";
        throw new ModelFormatException(message + " Download the whole folder again.");
    }

    /// <summary>Finishes a save that was interrupted.</summary>
    /// <exception cref="ModelFormatException">It cannot be finished.</exception>
    public static void Recover(string folder)
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

    /// <summary>The open files of one model by their names.</summary>
    private sealed class OpenTensorFiles : Dictionary<string, ITensorFile>, IDisposable
    {
        public void Add(string name, string path) =>
            Add(name, path.EndsWith(".bin", StringComparison.Ordinal) ? TorchStateFile.Open(path) : SafetensorsFile.Open(path));

        public void Dispose()
        {
            foreach (var file in Values) file.Dispose();
        }
    }
}
