// The vocabulary files of Hugging Face's GPT2Tokenizer: vocab.json, merges.txt and what goes with them, or tokenizer.json,
// which holds all in one. Anything that would change ids and that we don't do is refused, never ignored.

using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using NanoGpt.IO;

namespace NanoGpt.Tokenization;

/// <summary>Reads and writes byte-level BPE vocabularies as transformers does.</summary>
internal static class HuggingFaceVocabulary
{
    private const string VocabFile = "vocab.json", MergesFile = "merges.txt", WholeFile = "tokenizer.json",
        ConfigFile = "tokenizer_config.json", SpecialFile = "special_tokens_map.json", AddedFile = "added_tokens.json";

    private const long MaxMergesBytes = 64 << 20;

    private static readonly JsonWriterOptions AsPythonWrites = new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The vocabulary of the folder, or null where it has no such files.</summary>
    public static Gpt2Tokenizer? TryRead(string folder)
    {
        string vocab = Path.Combine(folder, VocabFile), merges = Path.Combine(folder, MergesFile), whole = Path.Combine(folder, WholeFile);
        var tokens = new Dictionary<string, int>();
        var special = new SpecialTokens();
        IEnumerable<string> lines;
        if (File.Exists(vocab) && File.Exists(merges))
        {
            tokens = TokenizerFolder.ReadJson(vocab, root => ReadVocabulary(root, vocab));
            lines = ReadMerges(merges);
            special.ReadAdded(Path.Combine(folder, AddedFile));
        }
        else if (File.Exists(whole))
        {
            vocab = whole;
            (tokens, lines) = TokenizerFolder.ReadJson(whole, root => ReadWhole(root, whole, special));
        }
        else if (File.Exists(vocab) || File.Exists(merges))
        {
            var (found, missing) = File.Exists(vocab) ? (VocabFile, MergesFile) : (MergesFile, VocabFile);
            throw new ModelFormatException($"{folder}: {found} without {missing}; a byte-level BPE vocabulary needs both.");
        }
        else
        {
            return null;
        }

        special.ReadNames(Path.Combine(folder, SpecialFile));
        special.ReadNames(Path.Combine(folder, ConfigFile));
        return new Gpt2Tokenizer(new BytePairVocabulary(tokens, lines, special.Resolve(tokens), vocab), special.EndOfText);
    }

    /// <summary>Writes vocab.json, merges.txt, tokenizer_config.json and special_tokens_map.json, and deletes what they replace.</summary>
    public static void Write(string folder, BytePairVocabulary vocabulary, int? endOfText)
    {
        WriteJson(Path.Combine(folder, VocabFile), json =>
        {
            foreach (var (token, id) in vocabulary.Tokens().OrderBy(t => t.Token, StringComparer.Ordinal)) json.WriteNumber(token, id);
        });

        var merges = new StringBuilder("#version: 0.2\n");
        foreach (var (left, right, _) in vocabulary.Merges)
            merges.Append(vocabulary.NameOf(left)).Append(' ').Append(vocabulary.NameOf(right)).Append('\n');
        AtomicFile.WriteAllText(Path.Combine(folder, MergesFile), merges.ToString());

        var end = vocabulary.Special.FirstOrDefault(s => s.Value == endOfText).Key;
        WriteJson(Path.Combine(folder, ConfigFile), json =>
        {
            json.WriteBoolean("add_prefix_space", false);
            json.WriteBoolean("clean_up_tokenization_spaces", false);
            json.WriteString("tokenizer_class", "GPT2Tokenizer");
            WriteSpecial(json, vocabulary, end);
        });
        WriteJson(Path.Combine(folder, SpecialFile), json => WriteSpecial(json, vocabulary, end));
        File.Delete(Path.Combine(folder, WholeFile));
        File.Delete(Path.Combine(folder, AddedFile));
    }

    /// <summary>Deletes the files that <see cref="TryRead"/> would read.</summary>
    public static void Delete(string folder)
    {
        foreach (var name in new[] { VocabFile, MergesFile, WholeFile, ConfigFile, SpecialFile, AddedFile }) File.Delete(Path.Combine(folder, name));
    }

    // null keeps transformers from adding its default, <|endoftext|>, as a new id.
    private static void WriteSpecial(Utf8JsonWriter json, BytePairVocabulary vocabulary, string? endOfText)
    {
        foreach (var role in new[] { "bos_token", "eos_token", "unk_token" }) json.WriteString(role, endOfText);
        var others = vocabulary.Special.Keys.Where(s => s != endOfText).ToList();
        if (others.Count == 0) return;
        json.WriteStartArray("additional_special_tokens");
        foreach (var other in others) json.WriteStringValue(other);
        json.WriteEndArray();
    }

    private static void WriteJson(string path, Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, AsPythonWrites))
        {
            json.WriteStartObject();
            write(json);
            json.WriteEndObject();
        }

        buffer.Write("\n"u8);
        AtomicFile.Write(path, stream => stream.Write(buffer.WrittenSpan));
    }

    private static Dictionary<string, int> ReadVocabulary(JsonElement vocabulary, string path)
    {
        var tokens = new Dictionary<string, int>();
        foreach (var entry in vocabulary.EnumerateObject())
        {
            if (entry.Value.ValueKind != JsonValueKind.Number || !entry.Value.TryGetInt32(out var id))
                throw new ModelFormatException($"{path}: token {UntrustedText.Quote(entry.Name)} has {UntrustedText.Quote(entry.Value.GetRawText())}; expected a whole number as its id.");
            if (!tokens.TryAdd(entry.Name, id)) throw new ModelFormatException($"{path}: token {UntrustedText.Quote(entry.Name)} is there twice; tokens must differ.");
        }

        return tokens;
    }

    private static List<string> ReadMerges(string path)
    {
        List<string> lines;
        try
        {
            var length = new FileInfo(path).Length;
            if (length > MaxMergesBytes) throw new ModelFormatException($"{path}: {length} bytes; a list of merges has at most {MaxMergesBytes}.");
            lines = [.. File.ReadLines(path)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ModelFormatException($"{path}: cannot be read: {e.Message}", e);
        }

        if (lines.Count > 0 && lines[0].StartsWith("#version", StringComparison.Ordinal)) lines.RemoveAt(0);
        while (lines.Count > 0 && lines[^1].Length == 0) lines.RemoveAt(lines.Count - 1);
        return lines;
    }

    private static (Dictionary<string, int> Tokens, IEnumerable<string> Merges) ReadWhole(JsonElement root, string path, SpecialTokens special)
    {
        if (!IsNull(root, "normalizer")) throw Unsupported("normalizer", root.GetProperty("normalizer"), "none");
        if (!IsObject(root, "model") || root.GetProperty("model") is var model && (Text(model, "type") is not (null or "BPE") || !IsObject(model, "vocab")))
            throw new ModelFormatException($"{path}: no model of type BPE with a vocabulary; only byte-level BPE is supported.");
        foreach (var option in new[] { "continuing_subword_prefix", "end_of_word_suffix", "dropout", "ignore_merges", "byte_fallback" })
        {
            if (!IsNull(model, option) && model.GetProperty(option) is var value && value.ValueKind != JsonValueKind.False && value.GetRawText() is not "\"\"")
                throw Unsupported($"model.{option}", value, "none");
        }

        if (!IsObject(root, "pre_tokenizer") || root.GetProperty("pre_tokenizer") is var split && Text(split, "type") != "ByteLevel"
            || Flag(split, "add_prefix_space") || split.TryGetProperty("use_regex", out var regex) && regex.ValueKind != JsonValueKind.True)
            throw Unsupported("pre_tokenizer", root.TryGetProperty("pre_tokenizer", out var found) ? found : default, "GPT-2's: ByteLevel without add_prefix_space");

        special.ReadAdded(root);
        return (ReadVocabulary(model.GetProperty("vocab"), path), ReadMerges(model, path));

        ModelFormatException Unsupported(string what, JsonElement found, string supported) => new(
            $"{path}: {what} is {(found.ValueKind == JsonValueKind.Undefined ? "missing" : UntrustedText.Quote(found.GetRawText()))}; supported is {supported}. It would change the ids.");
    }

    private static List<string> ReadMerges(JsonElement model, string path)
    {
        if (!model.TryGetProperty("merges", out var merges) || merges.ValueKind != JsonValueKind.Array)
            throw new ModelFormatException($"{path}: no array 'model.merges'; expected one entry for each merge.");
        var lines = new List<string>(merges.GetArrayLength());
        foreach (var merge in merges.EnumerateArray())
        {
            lines.Add(merge.ValueKind switch
            {
                JsonValueKind.String => merge.GetString()!,
                JsonValueKind.Array when merge.GetArrayLength() == 2 => $"{merge[0].GetString()} {merge[1].GetString()}",
                _ => throw new ModelFormatException($"{path}: merge {lines.Count} is {UntrustedText.Quote(merge.GetRawText())}; expected \"left right\" or [\"left\", \"right\"]."),
            });
        }

        return lines;
    }

    private static bool IsNull(JsonElement e, string name) => !e.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null;

    private static bool IsObject(JsonElement e, string name) => e.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Object;

    private static bool Flag(JsonElement e, string name) => e.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.True;

    private static string? Text(JsonElement e, string name) =>
        e.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
