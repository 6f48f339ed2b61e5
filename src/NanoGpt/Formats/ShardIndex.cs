// model.safetensors.index.json: which tensor lies in which file of a sharded model. Read as data from outside, written as
// transformers does.

using System.Text.Json;
using System.Text.Unicode;
using NanoGpt.IO;

namespace NanoGpt.Formats;

/// <summary>Reads and writes the index of a sharded model.</summary>
internal static class ShardIndex
{
    public const string FileName = "model.safetensors.index.json";

    /// <summary>The largest index that is read, in bytes: room for 5,000 tensors. GPT-2 xl has 580.</summary>
    public const int MaxLength = 512 << 10;

    /// <summary>The most files that one model may lie in.</summary>
    public const int MaxShards = 1_000;

    /// <summary>Reads tensor name to file name. The files are plain names, for the index's own folder.</summary>
    /// <exception cref="ModelFormatException">The index is missing or broken, or names something that is not a plain file.</exception>
    public static Dictionary<string, string> ReadFile(string path)
    {
        using var file = MappedFile.Open(path);
        if (file.Length > MaxLength) throw new ModelFormatException($"{path} has {file.Length} bytes, the limit is {MaxLength}. It is no shard index.");
        return Read(file.Head(MaxLength), path);
    }

    /// <summary>Reads the text of an index.</summary>
    public static Dictionary<string, string> Read(ReadOnlySpan<byte> json, string path)
    {
        if (!Utf8.IsValid(json)) throw Fault(path, "is not UTF-8");
        try
        {
            return ReadMap(json, path);
        }
        catch (JsonException e)
        {
            throw Fault(path, $"is not JSON (line {e.LineNumber + 1}, byte {e.BytePositionInLine})", e);
        }
        catch (InvalidOperationException e)
        {
            throw Fault(path, "has a string with half a surrogate pair", e); // thrown by GetString
        }
    }

    /// <summary>The text of an index.</summary>
    /// <param name="totalSize">Bytes of all tensors together.</param>
    /// <param name="files">Tensor name to file name.</param>
    public static string Write(long totalSize, IEnumerable<KeyValuePair<string, string>> files)
    {
        var map = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var (tensor, file) in files) map.Add(tensor, JsonText.String(file));
        return JsonText.Object(new SortedDictionary<string, string>(StringComparer.Ordinal)
        {
            ["metadata"] = JsonText.Object(new SortedDictionary<string, string> { ["total_size"] = JsonText.Integer(totalSize) }, 2),
            ["weight_map"] = JsonText.Object(map, 2),
        });
    }

    private static Dictionary<string, string> ReadMap(ReadOnlySpan<byte> json, string path)
    {
        var reader = new Utf8JsonReader(json);
        Dictionary<string, string>? map = null;
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject) throw Fault(path, "is not a JSON object");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (!reader.ValueTextEquals("weight_map"u8)) reader.Skip();
            else if (map is null) map = ReadEntries(ref reader, path);
            else throw Fault(path, "has weight_map twice");
        }

        if (reader.Read()) throw Fault(path, "goes on after its JSON value");
        return map ?? throw Fault(path, "has no weight_map");
    }

    private static Dictionary<string, string> ReadEntries(ref Utf8JsonReader reader, string path)
    {
        var map = new Dictionary<string, string>();
        var files = new Dictionary<string, string>(); // one string for each file, however often it is named
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject) throw Fault(path, "has a weight_map that is not an object");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var tensor = reader.GetString()!;
            if (!reader.Read() || reader.TokenType != JsonTokenType.String) throw Fault(path, $"places {UntrustedText.Quote(tensor)} in something that is no name");
            var file = reader.GetString()!;
            if (files.TryGetValue(file, out var known)) file = known;
            else if (files.Count == MaxShards) throw Fault(path, $"names more than {MaxShards} shards");
            else if (FileNames.IsPlain(file)) files.Add(file, file);
            else throw Fault(path, $"names the shard {UntrustedText.Quote(file)}, which is not a plain file name: a shard lies beside its index");
            if (!map.TryAdd(tensor, file)) throw Fault(path, $"places {UntrustedText.Quote(tensor)} twice");
        }

        return map;
    }

    private static ModelFormatException Fault(string path, string what, Exception? cause = null) =>
        new($"{path} {what}. Get the file again.", cause);
}
