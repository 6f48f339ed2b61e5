// The ids of pieces seen before: most of a text is made of few words. A small table with two places for each piece, so that it
// is bounded and there is nothing to clean up.

using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace NanoGpt.Tokenization;

/// <summary>Remembers the ids of short pieces. One thread at a time.</summary>
internal sealed class PieceCache
{
    /// <summary>Longer pieces are not remembered.</summary>
    public const int MaxBytes = 15;

    private const int SetBits = 13, MaxIds = 4, NoId = -1;

    private readonly Entry[] _entries = new Entry[2 << SetBits];

    /// <summary>The piece and its length in 16 bytes.</summary>
    public readonly record struct Key(ulong Low, ulong High);

    /// <summary>The key of a piece of 1 to <see cref="MaxBytes"/> bytes.</summary>
    public static Key KeyOf(ReadOnlySpan<byte> piece)
    {
        var length = (ulong)piece.Length << 56;
        if (piece.Length >= 8)
        {
            // The last eight bytes overlap the first eight; what both have is shifted out.
            var tail = BinaryPrimitives.ReadUInt64LittleEndian(piece[^8..]);
            return new Key(BinaryPrimitives.ReadUInt64LittleEndian(piece), length | (tail >> 1 >> (127 - 8 * piece.Length)));
        }

        if (piece.Length >= 4)
        {
            ulong head = BinaryPrimitives.ReadUInt32LittleEndian(piece), tail = BinaryPrimitives.ReadUInt32LittleEndian(piece[^4..]);
            return new Key(head | tail << (8 * piece.Length - 32), length);
        }

        return new Key(piece[0] | (ulong)piece[piece.Length / 2] << (8 * (piece.Length / 2)) | (ulong)piece[^1] << (8 * (piece.Length - 1)), length);
    }

    /// <summary>Appends the ids of a piece if they are known.</summary>
    public bool TryAppend(Key key, List<int> ids)
    {
        ref var first = ref _entries[IndexOf(key)];
        ref var entry = ref first;
        if (entry.Key != key)
        {
            entry = ref _entries[IndexOf(key) + 1];
            if (entry.Key != key) return false;
        }

        for (var i = 0; i < MaxIds && entry.Ids[i] != NoId; i++) ids.Add(entry.Ids[i]);
        return true;
    }

    /// <summary>Remembers a piece, in the place of the older of its set.</summary>
    public void Add(Key key, ReadOnlySpan<int> ids)
    {
        if (ids.Length > MaxIds) return;
        var index = IndexOf(key);
        _entries[index + 1] = _entries[index];
        ref var entry = ref _entries[index];
        entry.Key = key;
        for (var i = 0; i < MaxIds; i++) entry.Ids[i] = i < ids.Length ? ids[i] : NoId;
    }

    private static int IndexOf(Key key)
    {
        var hash = key.Low * 0x9E3779B97F4A7C15 ^ key.High * 0xC2B2AE3D27D4EB4F;
        return (int)((hash ^ hash >> 32) * 0x9E3779B97F4A7C15 >> (64 - SetBits)) << 1;
    }

    // 32 bytes: the two of a set share a cache line.
    private struct Entry
    {
        public Key Key;
        public IdList Ids;
    }

    [InlineArray(MaxIds)]
    private struct IdList
    {
        private int _first;
    }
}
