// The data of a byte-level BPE: which bytes an id stands for, and which two ids merge into which third, in which order.
// Read from vocab.json and merges.txt, or made from the merges alone, which for GPT-2 say it all. How to merge is
// BytePairEncoder.cs.

using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Text;
using NanoGpt.IO;

namespace NanoGpt.Tokenization;

/// <summary>A byte-level BPE vocabulary. Immutable.</summary>
internal sealed class BytePairVocabulary
{
    private readonly byte[]?[] _bytes;
    private readonly Dictionary<int, string> _names = [];
    private readonly Dictionary<string, int> _special;
    private readonly Merge[] _merges;
    private readonly int[] _idOfByte = new int[256];

    /// <param name="tokens">Tokens in the alphabet of vocabulary files, with their ids.</param>
    /// <param name="merges">Lines of two tokens with a space between, the first to merge first.</param>
    /// <param name="special">Tokens that no ordinary text may produce, as plain text, with their ids.</param>
    /// <param name="source">The file or files, for messages.</param>
    /// <exception cref="ModelFormatException">The three do not fit together.</exception>
    public BytePairVocabulary(
        IReadOnlyDictionary<string, int> tokens, IEnumerable<string> merges, IReadOnlyDictionary<string, int> special, string source)
    {
        _special = new Dictionary<string, int>(special, StringComparer.Ordinal);
        _bytes = new byte[SizeOf(tokens, _special, source)][];
        foreach (var (name, id) in tokens)
        {
            if (_bytes[id] is not null) throw new ModelFormatException($"{source}: id {id} belongs to two tokens; ids must differ.");
            if (!ByteAlphabet.TryRead(name, out _bytes[id]))
            {
                _bytes[id] = Encoding.UTF8.GetBytes(name);
                _names[id] = name;
            }
        }

        foreach (var (text, id) in _special)
        {
            if (text.Length == 0) throw new ModelFormatException($"{source}: the special token with id {id} is empty.");
            if (tokens.TryGetValue(text, out var known) ? known != id : _bytes[id] is not null)
                throw new ModelFormatException($"{source}: special token {UntrustedText.Quote(text)} has id {id}, which the vocabulary has otherwise. Are they from the same model?");
            _bytes[id] = Encoding.UTF8.GetBytes(text);
            _names[id] = text;
        }

        for (var b = 0; b < 256; b++) _idOfByte[b] = tokens.GetValueOrDefault(ByteAlphabet.Write([(byte)b]), -1);

        var found = new List<Merge>();
        foreach (var line in merges) found.Add(ReadMerge(line, found.Count, tokens, source));
        _merges = [.. found];
        Pairs = new PairTable(_merges);
    }

    private BytePairVocabulary(byte[][] bytes, Merge[] merges, string endOfText)
    {
        var last = bytes.Length - 1;
        (_bytes, _merges, Pairs) = (bytes, merges, new PairTable(merges));
        _special = new Dictionary<string, int>(StringComparer.Ordinal) { [endOfText] = last };
        _names[last] = endOfText;
        bytes[last] = Encoding.UTF8.GetBytes(endOfText);
        for (var i = 0; i < 256; i++) _idOfByte[ByteAlphabet.Order[i]] = i;
    }

    /// <summary>GPT-2's numbering: the 256 bytes in the alphabet's order, a token for each merge, the end of text.</summary>
    /// <param name="pairs">For each merge the ids of its two tokens, two bytes each, little endian.</param>
    /// <param name="endOfText">The special token.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)] // runs once, while a user waits for the first token
    public static BytePairVocabulary FromMerges(ReadOnlySpan<byte> pairs, string endOfText)
    {
        var merges = new Merge[pairs.Length / 4];
        var bytes = new byte[256 + merges.Length + 1][];
        for (var i = 0; i < 256; i++) bytes[i] = [ByteAlphabet.Order[i]];
        for (var rank = 0; rank < merges.Length; rank++, pairs = pairs[4..])
        {
            var merge = new Merge(BinaryPrimitives.ReadUInt16LittleEndian(pairs), BinaryPrimitives.ReadUInt16LittleEndian(pairs[2..]), 256 + rank);
            var (left, right) = (bytes[merge.Left], bytes[merge.Right]);
            var both = new byte[left.Length + right.Length];
            left.CopyTo(both, 0);
            right.CopyTo(both, left.Length);
            (merges[rank], bytes[merge.Result]) = (merge, both);
        }

        return new BytePairVocabulary(bytes, merges, endOfText);
    }

    /// <summary>Number of ids, holes included: the largest id + 1.</summary>
    public int Size => _bytes.Length;

    /// <summary>Special tokens as plain text, with their ids.</summary>
    public IReadOnlyDictionary<string, int> Special => _special;

    /// <summary>The merges in their order.</summary>
    public ReadOnlySpan<Merge> Merges => _merges;

    /// <summary>The id of each byte by itself, -1 where a small vocabulary lacks it.</summary>
    public ReadOnlySpan<int> IdOfByte => _idOfByte;

    /// <summary>The bytes that an id stands for, or null where the id is out of range or a hole.</summary>
    public byte[]? BytesOf(int id) => (uint)id < (uint)_bytes.Length ? _bytes[id] : null;

    /// <summary>Every id but the holes, with its token as vocab.json writes it.</summary>
    public IEnumerable<(string Token, int Id)> Tokens()
    {
        for (var id = 0; id < _bytes.Length; id++)
        {
            if (_bytes[id] is { } bytes) yield return (NameOf(id, bytes), id);
        }
    }

    /// <summary>The token of an id as vocabulary files write it.</summary>
    public string NameOf(int id) => NameOf(id, _bytes[id]!);

    /// <summary>The merges by what they merge.</summary>
    public PairTable Pairs { get; }

    private string NameOf(int id, byte[] bytes) => _names.TryGetValue(id, out var name) ? name : ByteAlphabet.Write(bytes);

    // Memory must stay in proportion to the file, so an id far beyond the number of tokens is refused.
    private static int SizeOf(IReadOnlyDictionary<string, int> tokens, Dictionary<string, int> special, string source)
    {
        var limit = 4L * (tokens.Count + special.Count) + 65536;
        var largest = -1;
        foreach (var (token, id) in tokens.Concat(special))
        {
            if (id < 0 || id >= limit)
                throw new ModelFormatException($"{source}: token {UntrustedText.Quote(token)} has id {id}; ids of {tokens.Count} tokens must lie from 0 to {limit - 1}.");
            largest = Math.Max(largest, id);
        }

        return largest >= 0 ? largest + 1 : throw new ModelFormatException($"{source}: no tokens; a vocabulary needs at least one.");
    }

    private static Merge ReadMerge(string line, int rank, IReadOnlyDictionary<string, int> tokens, string source)
    {
        var space = line.IndexOf(' ', StringComparison.Ordinal);
        if (space <= 0 || space == line.Length - 1 || line.IndexOf(' ', space + 1) >= 0)
            throw new ModelFormatException($"{source}: merge {rank} is {UntrustedText.Quote(line)}; expected two tokens with a space between.");

        var left = Find(line[..space]);
        var right = Find(line[(space + 1)..]);
        return new Merge(left, right, Find(string.Concat(line.AsSpan(0, space), line.AsSpan(space + 1))));

        int Find(string token) => tokens.TryGetValue(token, out var id) ? id : throw new ModelFormatException(
            $"{source}: merge {rank} ({UntrustedText.Quote(line)}) needs token {UntrustedText.Quote(token)}, which the vocabulary lacks. Are vocabulary and merges from the same model?");
    }
}

/// <summary>Two ids that become a third where they are neighbours.</summary>
internal readonly record struct Merge(int Left, int Right, int Result);
