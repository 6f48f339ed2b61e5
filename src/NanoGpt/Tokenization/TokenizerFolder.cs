// Which files of a folder are its vocabulary, and the one that is ours: characters.json. Hugging Face's files are
// HuggingFaceVocabulary.cs.

using System.Text;
using System.Text.Json;
using NanoGpt.IO;

namespace NanoGpt.Tokenization;

/// <summary>Reads and writes the vocabulary of a model or dataset folder.</summary>
internal static class TokenizerFolder
{
    /// <summary>Our file for a vocabulary of characters: <c>{"characters": ["\n", " ", ...]}</c>, in the order of ids.</summary>
    public const string CharactersFile = "characters.json";

    // GPT-2's vocabulary, and the multiple of 64 to which nanoGPT pads it.
    private const int Gpt2Size = 50257, Gpt2PaddedSize = 50304;

    // A vocabulary of 250,000 tokens is 17 MB as tokenizer.json.
    private const long MaxFileBytes = 128 << 20;

    /// <summary>Opens whichever vocabulary the folder has.</summary>
    public static Tokenizer Read(string folder) =>
        TryRead(folder) ?? (HasGpt2Size(folder) ? Tokenizer.Gpt2 : throw new ModelFormatException(
            $"{folder}: no vocabulary; expected {CharactersFile}, vocab.json with merges.txt, tokenizer.json, or a config.json with GPT-2's vocab_size of {Gpt2Size}."));

    /// <summary>Whether a model with so many ids may have GPT-2's vocabulary.</summary>
    public static bool IsGpt2Size(int vocabSize) => vocabSize is Gpt2Size or Gpt2PaddedSize;

    /// <summary>Opens whichever vocabulary the folder has; null where it has none.</summary>
    public static Tokenizer? TryRead(string folder)
    {
        if (!Directory.Exists(folder)) throw new ModelFormatException($"{folder}: no such folder; expected a model or dataset folder.");
        var characters = Path.Combine(folder, CharactersFile);
        if (File.Exists(characters)) return ReadCharacters(characters);
        return HuggingFaceVocabulary.TryRead(folder);
    }

    /// <summary>Makes the folder's vocabulary one of byte-level BPE.</summary>
    public static void Write(string folder, BytePairVocabulary vocabulary, int? endOfText)
    {
        Directory.CreateDirectory(folder);
        HuggingFaceVocabulary.Write(folder, vocabulary, endOfText);
        File.Delete(Path.Combine(folder, CharactersFile));
    }

    /// <summary>Makes the folder's vocabulary one of characters, in Hugging Face's form too where that can hold it.</summary>
    public static void Write(string folder, CharacterTokenizer tokenizer)
    {
        Directory.CreateDirectory(folder);
        if (tokenizer.OpensInTransformers)
            HuggingFaceVocabulary.Write(folder, AsBytePairs(tokenizer), endOfText: null);
        else
            HuggingFaceVocabulary.Delete(folder);
        WriteCharacters(folder, tokenizer);
    }

    /// <summary>Writes characters.json alone, which is all that a dataset needs.</summary>
    public static void WriteCharacters(string folder, CharacterTokenizer tokenizer)
    {
        var json = new { characters = tokenizer.Characters.Select(c => c.ToString()) };
        AtomicFile.WriteAllText(Path.Combine(folder, CharactersFile), JsonSerializer.Serialize(json) + "\n");
    }

    /// <summary>Reads a JSON file of a vocabulary; anything wrong with it is a <see cref="ModelFormatException"/>.</summary>
    public static T ReadJson<T>(string path, Func<JsonElement, T> read)
    {
        try
        {
            var length = new FileInfo(path).Length;
            if (length > MaxFileBytes) throw new ModelFormatException($"{path}: {length} bytes; a vocabulary file has at most {MaxFileBytes}.");
            using var document = JsonDocument.Parse(File.ReadAllBytes(path));
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? read(document.RootElement)
                : throw new ModelFormatException($"{path}: {document.RootElement.ValueKind} at the top; expected an object.");
        }
        catch (JsonException e)
        {
            throw new ModelFormatException($"{path}: not valid JSON: {e.Message}", e);
        }
        catch (InvalidOperationException e)
        {
            // A value of another kind than asked for, or a string with half a surrogate pair.
            throw new ModelFormatException($"{path}: not as a vocabulary file is written: {e.Message}", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ModelFormatException($"{path}: cannot be read: {e.Message}", e);
        }
    }

    private static BytePairVocabulary AsBytePairs(CharacterTokenizer tokenizer)
    {
        var tokens = new Dictionary<string, int>();
        for (var id = 0; id < tokenizer.VocabSize; id++) tokens.Add(ByteAlphabet.Write(tokenizer.GetBytes(id)), id);
        return new BytePairVocabulary(tokens, [], new Dictionary<string, int>(), "characters");
    }

    private static CharacterTokenizer ReadCharacters(string path) => ReadJson(path, root =>
    {
        if (!root.TryGetProperty("characters", out var list) || list.ValueKind != JsonValueKind.Array)
            throw new ModelFormatException($"{path}: no array 'characters'; expected one string for each id.");
        var characters = new List<Rune>();
        foreach (var item in list.EnumerateArray())
        {
            var text = item.ValueKind == JsonValueKind.String ? item.GetString()! : "";
            if (Rune.DecodeFromUtf16(text, out var rune, out var length) != System.Buffers.OperationStatus.Done || length != text.Length)
                throw new ModelFormatException($"{path}: entry {characters.Count} is {UntrustedText.Quote(item.GetRawText())}; expected a string of one character.");
            characters.Add(rune);
        }

        try
        {
            return new CharacterTokenizer(characters);
        }
        catch (ArgumentException e)
        {
            throw new ModelFormatException($"{path}: {e.Message}", e);
        }
    });

    private static bool HasGpt2Size(string folder)
    {
        var config = Path.Combine(folder, "config.json");
        return File.Exists(config) && ReadJson(config, root =>
            root.TryGetProperty("vocab_size", out var size) && size.ValueKind == JsonValueKind.Number
            && size.TryGetInt32(out var value) && IsGpt2Size(value));
    }
}
