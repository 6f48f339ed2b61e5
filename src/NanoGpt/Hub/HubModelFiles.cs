// Which files of a repository make a model, in the order of preference, and the reading of a shard index. Names in an index
// are data from outside. Downloads nothing itself.

using System.Text.Json;
using NanoGpt.IO;

namespace NanoGpt.Hub;

/// <summary>The files of a model.</summary>
internal static class HubModelFiles
{
    public const string Config = "config.json";
    public const string Weights = "model.safetensors";
    public const string WeightsIndex = "model.safetensors.index.json";
    public const string TorchWeights = "pytorch_model.bin";
    public const string TorchWeightsIndex = "pytorch_model.bin.index.json";
    public const string NanoGptCheckpoint = "ckpt.pt";
    public const string Vocabulary = "vocab.json";
    public const string Merges = "merges.txt";
    public const string Tokenizer = "tokenizer.json";
    public const string Characters = "characters.json";

    private const int LongestIndexBytes = 512 << 10; // as ShardIndex of Formats: what could not be opened is not downloaded
    private const int MostShards = 1_000;

    /// <summary>Where the weights of a model with a config.json may be, the preferred form first: one file, or an index of shards.</summary>
    public static readonly (string Whole, string Index, string Extension)[] WeightForms =
        [(Weights, WeightsIndex, ".safetensors"), (TorchWeights, TorchWeightsIndex, ".bin")];

    /// <summary>Every file that says that a model's weights are there.</summary>
    public static readonly string[] AnyWeights = [Weights, WeightsIndex, TorchWeights, TorchWeightsIndex, NanoGptCheckpoint];

    /// <summary>Files that a model may have beside its weights: the usual tokenizer, what is added to it, settings.</summary>
    public static readonly string[] Optional =
        [Vocabulary, Merges, "added_tokens.json", "special_tokens_map.json", "tokenizer_config.json", "generation_config.json"];

    /// <summary>Other forms of a tokenizer, for a model without the usual one, in the order of preference.</summary>
    public static readonly string[] OtherTokenizers = [Tokenizer, Characters];

    /// <summary>The distinct shards that an index names.</summary>
    /// <param name="path">The index.</param>
    /// <param name="extension">What the names of shards end in.</param>
    /// <param name="source">What to call it in a message.</param>
    /// <exception cref="ModelFormatException">It is no index.</exception>
    /// <exception cref="HubException">A name in it is unsafe.</exception>
    public static IReadOnlyList<string> ReadShards(string path, string extension, string source)
    {
        if (new FileInfo(path).Length is > LongestIndexBytes and var length)
            throw new ModelFormatException($"{source}: {length} bytes; an index of shards has at most {LongestIndexBytes}.");
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(path));
            if (document.RootElement.ValueKind != JsonValueKind.Object
                || !document.RootElement.TryGetProperty("weight_map", out var map) || map.ValueKind != JsonValueKind.Object)
                throw new ModelFormatException($"{source}: has no object 'weight_map', which says in what file each tensor is. Is it an index of shards?");
            return Shards(map, extension, source);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException) // the latter for strings of broken Unicode
        {
            throw new ModelFormatException($"{source}: not valid JSON ({e.Message})", e);
        }
    }

    private static List<string> Shards(JsonElement map, string extension, string source)
    {
        var shards = new HashSet<string>(StringComparer.Ordinal);
        foreach (var entry in map.EnumerateObject())
        {
            if (entry.Value.ValueKind != JsonValueKind.String)
                throw new ModelFormatException($"{source}: the file of {UntrustedText.Quote(entry.Name)} is {entry.Value.ValueKind}; expected a file name.");
            if (!shards.Add(entry.Value.GetString()!)) continue;
            if (shards.Count > MostShards) throw new ModelFormatException($"{source}: names more than {MostShards} shards.");
        }

        foreach (var shard in shards)
        {
            HubFileName.CheckSegment(shard, source);
            if (!shard.EndsWith(extension, StringComparison.Ordinal))
                throw new HubException(HubErrorKind.UnsafeName, $"{source}: the shard {UntrustedText.Quote(shard)} is no {extension} file. Nothing was written.");
        }

        if (shards.Count == 0) throw new ModelFormatException($"{source}: 'weight_map' is empty; expected at least one shard.");
        if (shards.Distinct(StringComparer.OrdinalIgnoreCase).Count() != shards.Count)
            throw new HubException(HubErrorKind.UnsafeName, $"{source}: names shards that differ in case only; on many systems they would be one file.");
        return [.. shards.Order(StringComparer.Ordinal)];
    }
}
