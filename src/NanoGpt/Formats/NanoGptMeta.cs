// meta.pkl, which nanoGPT's prepare.py writes beside a character-level dataset: the alphabet. Read as data, by the same
// restricted reader as checkpoints.

using NanoGpt.IO;

namespace NanoGpt.Formats;

/// <summary>The alphabet of a character-level dataset: token id to character.</summary>
/// <param name="Characters">The character of each id; one code point each.</param>
internal sealed record NanoGptMeta(IReadOnlyList<string> Characters)
{
    public const string FileName = "meta.pkl";

    /// <summary>Reads a meta.pkl.</summary>
    /// <exception cref="ModelFormatException">It is missing, broken, or its three parts contradict one another.</exception>
    public static NanoGptMeta ReadFile(string path)
    {
        using var file = MappedFile.Open(path);
        return Read(file.Head(PickleReader.MaxLength + 1), path);
    }

    /// <summary>Reads the bytes of a meta.pkl.</summary>
    public static NanoGptMeta Read(ReadOnlySpan<byte> pickle, string path)
    {
        ModelFormatException Fault(string what) => new($"{path} {what}. Run the dataset's prepare again.");

        if (PickleReader.Read(pickle, path) is not PickleDictionary root) throw Fault("holds no dict");
        if (root.GetValueOrDefault("vocab_size") is not long size || size is < 1 or > PickleReader.MaxIndex) throw Fault("has no vocab_size from 1");
        if (root.GetValueOrDefault("itos") is not PickleDictionary itos || itos.Count != size) throw Fault($"has no itos of {size} characters");
        if (root.GetValueOrDefault("stoi") is not PickleDictionary stoi || stoi.Count != size) throw Fault($"has no stoi of {size} characters");

        var characters = new string[size];
        for (var id = 0L; id < size; id++)
        {
            if (itos.GetValueOrDefault(id) is not string character)
                throw Fault($"has no character for id {id}");
            if (character.EnumerateRunes().Count() != 1) throw Fault($"has {UntrustedText.Quote(character)} for id {id}, which is not one character");
            if (stoi.GetValueOrDefault(character) is not long back || back != id) throw Fault($"gives {UntrustedText.Quote(character)} another id in stoi than in itos ({id})");
            characters[id] = character;
        }

        return new NanoGptMeta(characters);
    }
}
