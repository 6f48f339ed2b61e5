// What a dataset folder says about its ids: meta.json (ours) or meta.pkl (nanoGPT's, for characters), or nothing, which
// with nanoGPT means GPT-2's vocabulary.

using System.Text.Json;
using NanoGpt.Formats;
using NanoGpt.IO;
using NanoGpt.Tokenization;

namespace NanoGpt.Data;

/// <summary>The vocabulary of a dataset, and how many ids its files should have.</summary>
/// <param name="Tokenizer">The vocabulary.</param>
/// <param name="VocabSize">Its size where the folder names a vocabulary of its own, or null for GPT-2's.</param>
/// <param name="TrainIds">Number of ids in train.bin, where the folder says it.</param>
/// <param name="ValIds">Number of ids in val.bin, where the folder says it.</param>
internal sealed record DatasetMeta(Tokenizer Tokenizer, int? VocabSize, long? TrainIds, long? ValIds)
{
    /// <summary>Our file: <c>{"tokenizer": "gpt2", "train_ids": 301966, "val_ids": 36059}</c>, or "folder" for the vocabulary beside it.</summary>
    public const string FileName = "meta.json";

    private const string Gpt2 = "gpt2", Folder = "folder";

    /// <summary>Reads what the folder has.</summary>
    public static DatasetMeta Read(string folder)
    {
        var path = Path.Combine(folder, FileName);
        if (File.Exists(path)) return ReadJson(path, folder);
        var pickle = Path.Combine(folder, NanoGptMeta.FileName);
        if (!File.Exists(pickle)) return new(Tokenizer.Gpt2, null, null, null);
        var tokenizer = new CharacterTokenizer(NanoGptMeta.ReadFile(pickle).Characters.Select(c => c.EnumerateRunes().First()));
        return new(tokenizer, tokenizer.VocabSize, null, null);
    }

    /// <summary>Writes meta.json and, where it is not GPT-2's, the vocabulary.</summary>
    public static void Write(string folder, Tokenizer tokenizer, long trainIds, long valIds)
    {
        var isGpt2 = ReferenceEquals(tokenizer, Tokenizer.Gpt2);
        if (tokenizer is CharacterTokenizer characters)
            TokenizerFolder.WriteCharacters(folder, characters);
        else if (!isGpt2)
            tokenizer.Save(folder);
        var json = new { tokenizer = isGpt2 ? Gpt2 : Folder, train_ids = trainIds, val_ids = valIds };
        AtomicFile.WriteAllText(Path.Combine(folder, FileName), JsonSerializer.Serialize(json) + "\n");
    }

    private static DatasetMeta ReadJson(string path, string folder)
    {
        var (name, train, val) = TokenizerFolder.ReadJson(path, root => (
            root.TryGetProperty("tokenizer", out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null,
            Count(root, "train_ids"), Count(root, "val_ids")));
        if (name == Gpt2) return new(Tokenizer.Gpt2, null, train, val);
        if (name != Folder) throw new ModelFormatException($"{path}: tokenizer is {(name is null ? "missing" : UntrustedText.Quote(name))}; expected \"{Gpt2}\" or \"{Folder}\".");
        var tokenizer = Tokenizer.Load(folder);
        return new(tokenizer, tokenizer.VocabSize, train, val);
    }

    private static long? Count(JsonElement root, string name) =>
        root.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out var count) ? count : null;
}
