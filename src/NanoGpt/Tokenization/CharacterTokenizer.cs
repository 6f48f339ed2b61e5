// One id for each character, as nanoGPT's shakespeare_char has it. Small vocabularies for small models; it knows nothing
// of words, and nothing of characters that it has not been given.

using System.Globalization;
using System.Text;

namespace NanoGpt.Tokenization;

/// <summary>A vocabulary of characters (Unicode code points). Safe to use from several threads.</summary>
public sealed class CharacterTokenizer : Tokenizer
{
    private readonly byte[][] _bytes;
    private readonly Dictionary<int, int> _idOfCharacter;
    private readonly int[] _idOfAscii = new int[128];

    /// <summary>Makes a vocabulary of the given characters.</summary>
    /// <param name="characters">The characters in the order of their ids; at least one, none twice.</param>
    /// <exception cref="ArgumentException">There is no character, or one is there twice.</exception>
    public CharacterTokenizer(IEnumerable<Rune> characters)
    {
        ArgumentNullException.ThrowIfNull(characters);
        Characters = [.. characters];
        if (Characters.Count == 0) throw new ArgumentException("A vocabulary needs at least one character.", nameof(characters));
        _bytes = [.. Characters.Select(c => Encoding.UTF8.GetBytes(c.ToString()))];
        _idOfCharacter = new Dictionary<int, int>(Characters.Count);
        Array.Fill(_idOfAscii, -1);
        for (var id = 0; id < Characters.Count; id++)
        {
            var character = Characters[id];
            if (!_idOfCharacter.TryAdd(character.Value, id))
                throw new ArgumentException(FormattableString.Invariant($"Character U+{character.Value:X4} has ids {_idOfCharacter[character.Value]} and {id}; it needs one."), nameof(characters));
            if (character.IsAscii) _idOfAscii[character.Value] = id;
        }
    }

    /// <summary>The characters in the order of their ids.</summary>
    public IReadOnlyList<Rune> Characters { get; }

    /// <inheritdoc/>
    public override int VocabSize => Characters.Count;

    /// <summary>Null: a vocabulary of characters has no token that ends a text.</summary>
    public override int? EndOfTextId => null;

    /// <summary>
    /// Whether <see cref="Tokenizer.Save"/> writes files that Hugging Face's <c>GPT2Tokenizer</c> opens too. It does where all
    /// characters are ASCII: others are several bytes, for which a byte-level vocabulary would need tokens of its own.
    /// </summary>
    public bool OpensInTransformers => Characters.All(c => c.IsAscii);

    /// <summary>Makes the vocabulary of a text: its characters in code point order, as nanoGPT sorts them.</summary>
    /// <param name="text">The text; not empty.</param>
    public static CharacterTokenizer FromText(string text)
    {
        ArgumentException.ThrowIfNullOrEmpty(text);
        return new CharacterTokenizer(text.EnumerateRunes().Distinct().Order());
    }

    /// <inheritdoc/>
    public override void Save(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        TokenizerFolder.Write(folder, this);
    }

    internal override void Encode(ReadOnlySpan<byte> utf8, bool allowSpecial, List<int> ids)
    {
        for (var i = 0; i < utf8.Length;)
        {
            var id = IdAt(utf8, i, out var length);
            if (id < 0) throw new ArgumentException(Unknown(TextPosition.Start.After(utf8[..i]).Describe(utf8[i..])));
            ids.Add(id);
            i += length;
        }
    }

    internal override int FirstUnknown(ReadOnlySpan<byte> utf8)
    {
        for (var i = 0; i < utf8.Length;)
        {
            if (IdAt(utf8, i, out var length) < 0) return i;
            i += length;
        }

        return -1;
    }

    internal override int LastSafeCut(ReadOnlySpan<byte> utf8) => utf8.Length;

    private protected override byte[]? FindBytes(int id) => (uint)id < (uint)_bytes.Length ? _bytes[id] : null;

    private int IdAt(ReadOnlySpan<byte> utf8, int position, out int length)
    {
        var first = utf8[position];
        length = 1;
        if (first < 0x80) return _idOfAscii[first];
        Rune.DecodeFromUtf8(utf8[position..], out var rune, out length);
        return _idOfCharacter.GetValueOrDefault(rune.Value, -1);
    }

    private string Unknown(string where)
    {
        var known = string.Concat(Characters.Where(c => !Rune.IsControl(c)).Take(100));
        return string.Create(CultureInfo.InvariantCulture, $"The text has {where}, which this vocabulary of {VocabSize} characters lacks: {known}");
    }
}
