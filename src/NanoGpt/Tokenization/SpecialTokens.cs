// The special tokens of a model folder, gathered from the several files in which transformers has kept them over the
// years. Nothing else of those files matters here, apart from what would change ids.

using System.Text.Json;
using NanoGpt.IO;

namespace NanoGpt.Tokenization;

/// <summary>Collects special tokens while the files of one folder are read.</summary>
internal sealed class SpecialTokens
{
    private readonly Dictionary<string, int> _withId = [];
    private readonly HashSet<string> _named = [Gpt2Tokenizer.EndOfText];

    /// <summary>The token that ends a text: the folder's eos_token, else GPT-2's.</summary>
    public string EndOfText { get; private set; } = Gpt2Tokenizer.EndOfText;

    /// <summary>Reads added_tokens.json, <c>{"token": id}</c>, where the folder has one.</summary>
    public void ReadAdded(string path)
    {
        if (!File.Exists(path)) return;
        TokenizerFolder.ReadJson(path, root =>
        {
            foreach (var entry in root.EnumerateObject()) Add(entry.Name, entry.Value, path);
            return true;
        });
    }

    /// <summary>Reads <c>added_tokens</c> of tokenizer.json: <c>[{"id": 50256, "content": "..."}]</c>.</summary>
    public void ReadAdded(JsonElement root)
    {
        if (!root.TryGetProperty("added_tokens", out var added) || added.ValueKind != JsonValueKind.Array) return;
        foreach (var entry in added.EnumerateArray())
        {
            if (Content(entry) is { } token && entry.TryGetProperty("id", out var id)) Add(token, id, "added_tokens");
        }
    }

    /// <summary>Reads tokenizer_config.json or special_tokens_map.json: the tokens that have a role.</summary>
    public void ReadNames(string path)
    {
        if (!File.Exists(path)) return;
        TokenizerFolder.ReadJson(path, root =>
        {
            if (root.TryGetProperty("add_prefix_space", out var prefix) && prefix.ValueKind == JsonValueKind.True)
                throw new ModelFormatException($"{path}: add_prefix_space is true; supported is false. It would change the ids.");
            foreach (var entry in root.EnumerateObject()) ReadRole(entry, path);
            return true;
        });
    }

    /// <summary>All of them with their ids: those that came with one, and those that the vocabulary knows.</summary>
    public Dictionary<string, int> Resolve(IReadOnlyDictionary<string, int> tokens)
    {
        foreach (var name in _named)
        {
            if (tokens.TryGetValue(name, out var id)) _withId.TryAdd(name, id);
        }

        return _withId;
    }

    private void ReadRole(JsonProperty entry, string path)
    {
        if (entry.Name == "added_tokens_decoder" && entry.Value.ValueKind == JsonValueKind.Object)
        {
            foreach (var added in entry.Value.EnumerateObject())
            {
                if (Content(added.Value) is not { } token) continue;
                if (!int.TryParse(added.Name, out var id)) throw new ModelFormatException($"{path}: {UntrustedText.Quote(added.Name)} in added_tokens_decoder; expected a whole number as id.");
                Add(token, id, path);
            }
        }
        else if (entry.Name == "additional_special_tokens" && entry.Value.ValueKind == JsonValueKind.Array)
        {
            foreach (var added in entry.Value.EnumerateArray())
            {
                if (Content(added) is { } token) _named.Add(token);
            }
        }
        else if (entry.Name.EndsWith("_token", StringComparison.Ordinal) && Content(entry.Value) is { } token)
        {
            _named.Add(token);
            if (entry.Name == "eos_token") EndOfText = token;
        }
    }

    private void Add(string token, JsonElement id, string path)
    {
        if (id.ValueKind != JsonValueKind.Number || !id.TryGetInt32(out var value))
            throw new ModelFormatException($"{path}: added token {UntrustedText.Quote(token)} has no whole number as its id.");
        Add(token, value, path);
    }

    private void Add(string token, int id, string path)
    {
        if (!_withId.TryAdd(token, id) && _withId[token] != id)
            throw new ModelFormatException($"{path}: special token {UntrustedText.Quote(token)} has id {id}, elsewhere {_withId[token]}; it needs one.");
    }

    // A token is a string, or an object with its settings.
    private static string? Content(JsonElement token) => token.ValueKind switch
    {
        JsonValueKind.String => token.GetString(),
        JsonValueKind.Object when token.TryGetProperty("content", out var content) && content.ValueKind == JsonValueKind.String => content.GetString(),
        _ => null,
    };
}
