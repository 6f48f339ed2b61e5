// GPT-2's byte-level BPE, with GPT-2's vocabulary or one of its kind from a model folder. How pieces are cut and merged is
// Gpt2Pattern.cs and BytePairEncoder.cs; why they are ours is docs/decisions/009.

using System.Buffers;
using System.Collections.Concurrent;
using System.Text;

namespace NanoGpt.Tokenization;

/// <summary>The tokenizer of GPT-2 and of every model with a vocabulary of its kind: byte-level BPE, so any text has ids.</summary>
/// <remarks>Safe to use from several threads. Encoding takes time linear in the text, up to a logarithm, whatever the text is.</remarks>
public sealed class Gpt2Tokenizer : Tokenizer
{
    internal const string EndOfText = "<|endoftext|>";

    private readonly BytePairVocabulary _vocabulary;
    private readonly Special[] _special; // the longest first
    private readonly SearchValues<byte>? _knownBytes;
    private readonly ConcurrentBag<BytePairEncoder> _encoders = [];

    internal Gpt2Tokenizer(BytePairVocabulary vocabulary, string endOfText = EndOfText)
    {
        _vocabulary = vocabulary;
        _special = new Special[vocabulary.Special.Count];
        var count = 0;
        foreach (var (text, specialId) in vocabulary.Special) _special[count++] = new Special(Encoding.UTF8.GetBytes(text), specialId);
        Array.Sort(_special, (a, b) => b.Text.Length.CompareTo(a.Text.Length));
        EndOfTextId = vocabulary.Special.TryGetValue(endOfText, out var id) ? id : null;
        if (vocabulary.IdOfByte.Contains(-1))
            _knownBytes = SearchValues.Create([.. Enumerable.Range(0, 256).Where(b => vocabulary.IdOfByte[b] >= 0).Select(b => (byte)b)]);
    }

    /// <inheritdoc/>
    public override int VocabSize => _vocabulary.Size;

    /// <inheritdoc/>
    public override int? EndOfTextId { get; }

    internal BytePairVocabulary Vocabulary => _vocabulary;

    /// <inheritdoc/>
    public override void Save(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        TokenizerFolder.Write(folder, _vocabulary, EndOfTextId);
    }

    // The merges of the published merges.txt by their ids.
    internal static Gpt2Tokenizer ReadEmbedded()
    {
        using var resource = typeof(Gpt2Tokenizer).Assembly.GetManifestResourceStream("NanoGpt.gpt2-merges.bin")!;
        var pairs = new byte[resource.Length];
        resource.ReadExactly(pairs);
        return new Gpt2Tokenizer(BytePairVocabulary.FromMerges(pairs, EndOfText));
    }

    internal override void Encode(ReadOnlySpan<byte> utf8, bool allowSpecial, List<int> ids)
    {
        var encoder = _encoders.TryTake(out var used) ? used : new BytePairEncoder(_vocabulary);
        try
        {
            if (allowSpecial)
                EncodeWithSpecial(utf8, encoder, ids);
            else
                EncodeOrdinary(utf8, 0, utf8.Length, encoder, ids);
        }
        finally
        {
            if (_encoders.Count < Environment.ProcessorCount) _encoders.Add(encoder);
        }
    }

    internal override int FirstUnknown(ReadOnlySpan<byte> utf8) => _knownBytes is null ? -1 : utf8.IndexOfAnyExcept(_knownBytes);

    internal override int LastSafeCut(ReadOnlySpan<byte> utf8) => Gpt2Pattern.LastSafeCut(utf8);

    private protected override byte[]? FindBytes(int id) => _vocabulary.BytesOf(id);

    private void EncodeOrdinary(ReadOnlySpan<byte> text, int start, int end, BytePairEncoder encoder, List<int> ids)
    {
        if (FirstUnknown(text[start..end]) is var unknown and >= 0)
        {
            unknown += start;
            while (unknown > 0 && (text[unknown] & 0xC0) == 0x80) unknown--;
            throw new ArgumentException(
                $"The text has {TextPosition.Start.After(text[..unknown]).Describe(text[unknown..])}, which this vocabulary of {VocabSize} tokens lacks.");
        }

        for (var rest = text[start..end]; !rest.IsEmpty;)
        {
            var length = Gpt2Pattern.FirstPiece(rest);
            encoder.Encode(rest[..length], ids);
            rest = rest[length..];
        }
    }

    // The special token that begins first, and of those that begin together the longest.
    private void EncodeWithSpecial(ReadOnlySpan<byte> text, BytePairEncoder encoder, List<int> ids)
    {
        var next = new int[_special.Length];
        Array.Fill(next, -1);
        for (var position = 0; ;)
        {
            var first = -1;
            for (var i = 0; i < next.Length; i++)
            {
                if (next[i] < position)
                {
                    var found = text[position..].IndexOf(_special[i].Text);
                    next[i] = found < 0 ? int.MaxValue : position + found;
                }

                if (next[i] != int.MaxValue && (first < 0 || next[i] < next[first])) first = i;
            }

            EncodeOrdinary(text, position, first < 0 ? text.Length : next[first], encoder, ids);
            if (first < 0) return;
            ids.Add(_special[first].Id);
            position = next[first] + _special[first].Text.Length;
        }
    }

    /// <summary>A special token as text writes it. A class: the runtime has sorting compiled for classes, and would compile it for a struct.</summary>
    private sealed record Special(byte[] Text, int Id);
}
