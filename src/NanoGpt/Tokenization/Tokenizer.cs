// What every vocabulary can do: text to ids, ids to text, whole or as a stream, and to and from a model folder. The kinds
// are Gpt2Tokenizer and CharacterTokenizer; their files are TokenizerFolder.cs.

using System.Buffers;
using System.Text;

namespace NanoGpt.Tokenization;

/// <summary>A vocabulary: turns text into token ids and back. Immutable and safe to use from several threads.</summary>
public abstract class Tokenizer
{
    private static readonly Lazy<Gpt2Tokenizer> Embedded = new(Gpt2Tokenizer.ReadEmbedded);

    private protected Tokenizer()
    {
    }

    /// <summary>GPT-2's own vocabulary of 50257 tokens, which is part of the library: no file and no network needed.</summary>
    public static Tokenizer Gpt2 => Embedded.Value;

    /// <summary>Number of token ids: the largest id + 1.</summary>
    public abstract int VocabSize { get; }

    /// <summary>The id that ends a text (GPT-2's <c>&lt;|endoftext|&gt;</c>), or null where the vocabulary has none.</summary>
    public abstract int? EndOfTextId { get; }

    /// <summary>Opens the vocabulary of a model or dataset folder.</summary>
    /// <remarks>
    /// Takes <c>characters.json</c> (ours), else <c>vocab.json</c> with <c>merges.txt</c>, else <c>tokenizer.json</c>. A folder
    /// with none of them but a config.json of GPT-2's vocabulary size gets <see cref="Gpt2"/>.
    /// </remarks>
    /// <param name="folder">The folder.</param>
    /// <exception cref="ModelFormatException">There is no vocabulary in the folder, or it is broken or of another kind.</exception>
    public static Tokenizer Load(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        return TokenizerFolder.Read(folder);
    }

    /// <summary>The vocabulary of a folder, or <see cref="Gpt2"/> where it has none.</summary>
    internal static Tokenizer LoadOrGpt2(string folder) => TokenizerFolder.TryRead(folder) ?? Gpt2;

    /// <summary>Writes the vocabulary into a model folder, so that <see cref="Load"/> opens it again.</summary>
    /// <remarks>
    /// The files are those of Hugging Face's <c>GPT2Tokenizer</c>, which opens the folder too; a
    /// <see cref="CharacterTokenizer"/> says by <see cref="CharacterTokenizer.OpensInTransformers"/> whether that holds for it.
    /// Each file is replaced as a whole or not at all.
    /// </remarks>
    /// <param name="folder">The folder; it is made where it does not exist.</param>
    public abstract void Save(string folder);

    /// <summary>Turns text into ids.</summary>
    /// <param name="text">Any text. A lone surrogate counts as U+FFFD.</param>
    /// <param name="allowSpecial">
    /// Whether special tokens written out in <paramref name="text"/>, such as <c>&lt;|endoftext|&gt;</c>, become their ids. Default
    /// false: they are ordinary text, so that text from outside cannot forge them.
    /// </param>
    /// <returns>The ids; none for an empty text.</returns>
    /// <exception cref="ArgumentException">The vocabulary lacks a character; the message shows it and where it is.</exception>
    public IReadOnlyList<int> Encode(string text, bool allowSpecial = false)
    {
        ArgumentNullException.ThrowIfNull(text);
        var utf8 = ArrayPool<byte>.Shared.Rent(Encoding.UTF8.GetByteCount(text));
        try
        {
            var ids = new List<int>(text.Length / 3);
            Encode(utf8.AsSpan(0, Encoding.UTF8.GetBytes(text, utf8)), allowSpecial, ids);
            return ids;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(utf8);
        }
    }

    /// <summary>Turns ids into text.</summary>
    /// <param name="ids">The ids. Each run of bytes among them that is no UTF-8 becomes U+FFFD.</param>
    /// <exception cref="ArgumentException">An id is none of this vocabulary; the message shows it and its position.</exception>
    public string Decode(IEnumerable<int> ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        var bytes = new ArrayBufferWriter<byte>();
        var position = 0;
        foreach (var id in ids)
        {
            bytes.Write(FindBytes(id) ?? throw new ArgumentException(
                $"Id {id} at position {position} is none of this vocabulary of {VocabSize} ids.", nameof(ids)));
            position++;
        }

        return Encoding.UTF8.GetString(bytes.WrittenSpan);
    }

    /// <summary>The bytes that one id stands for; they may be part of a character.</summary>
    /// <param name="id">The id.</param>
    /// <exception cref="ArgumentException">The id is none of this vocabulary.</exception>
    public ReadOnlySpan<byte> GetBytes(int id) =>
        FindBytes(id) ?? throw new ArgumentException($"Id {id} is none of this vocabulary of {VocabSize} ids.", nameof(id));

    /// <summary>Starts decoding ids one by one, as a model makes them.</summary>
    public StreamDecoder CreateStreamDecoder() => new(this);

    /// <summary>Appends the ids of a text in UTF-8.</summary>
    internal abstract void Encode(ReadOnlySpan<byte> utf8, bool allowSpecial, List<int> ids);

    /// <summary>Where in <paramref name="utf8"/> the first character that the vocabulary lacks begins, or -1.</summary>
    internal abstract int FirstUnknown(ReadOnlySpan<byte> utf8);

    /// <summary>The last place at which a text may be cut so that its parts have the ids of the whole, or -1.</summary>
    internal abstract int LastSafeCut(ReadOnlySpan<byte> utf8);

    /// <summary>The bytes of an id, or null where it is none of this vocabulary.</summary>
    private protected abstract byte[]? FindBytes(int id);
}
