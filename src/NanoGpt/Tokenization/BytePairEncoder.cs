// Bytes of one piece -> ids, by merging neighbours in the vocabulary's order. Short pieces are scanned, long ones use a
// queue, so that no piece takes quadratic time; a small cache remembers the pieces of ordinary text.

using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace NanoGpt.Tokenization;

/// <summary>Merges pieces by one vocabulary. Has a cache and scratch space, so one thread at a time.</summary>
internal sealed class BytePairEncoder(BytePairVocabulary vocabulary)
{
    /// <summary>Pieces of at most so many bytes are merged by scanning.</summary>
    internal const int ScanLimit = 128;

    private const int CacheBits = 14, CachedBytes = 16, CachedIds = 4;

    private readonly CacheEntry[] _cache = new CacheEntry[1 << CacheBits];
    private readonly int[] _ids = new int[ScanLimit];
    private readonly int[] _ranks = new int[ScanLimit];

    /// <summary>Appends the ids of <paramref name="piece"/>, each byte of which has an id.</summary>
    public void Encode(ReadOnlySpan<byte> piece, List<int> ids)
    {
        if (piece.Length == 1)
            ids.Add(vocabulary.IdOfByte[piece[0]]);
        else if (piece.Length <= CachedBytes)
            EncodeCached(piece, ids);
        else if (piece.Length <= ScanLimit)
            MergeByScan(piece, ids);
        else
            MergeByQueue(piece, ids);
    }

    // Direct-mapped: a piece has one place and takes it from whichever was there. Bounded, and nothing to evict.
    private void EncodeCached(ReadOnlySpan<byte> piece, List<int> ids)
    {
        var (low, high) = KeyOf(piece);
        var hash = (low + (ulong)piece.Length) * 0x9E3779B97F4A7C15 ^ high * 0xC2B2AE3D27D4EB4F;
        hash *= 0x9E3779B97F4A7C15;
        ref var entry = ref _cache[hash >> (64 - CacheBits)];
        if (entry.Low == low && entry.High == high && entry.Length == piece.Length)
        {
            ids.AddRange((ReadOnlySpan<int>)entry.Ids[..entry.Count]);
            return;
        }

        var before = ids.Count;
        MergeByScan(piece, ids);
        var added = CollectionsMarshal.AsSpan(ids)[before..];
        if (added.Length > CachedIds) return;
        entry.Low = low;
        entry.High = high;
        entry.Length = (byte)piece.Length;
        entry.Count = (byte)added.Length;
        added.CopyTo(entry.Ids);
    }

    private static (ulong Low, ulong High) KeyOf(ReadOnlySpan<byte> piece)
    {
        if (piece.Length == CachedBytes)
            return (BinaryPrimitives.ReadUInt64LittleEndian(piece), BinaryPrimitives.ReadUInt64LittleEndian(piece[8..]));
        if (piece.Length >= 8)
        {
            var tail = BinaryPrimitives.ReadUInt64LittleEndian(piece[^8..]);
            return (BinaryPrimitives.ReadUInt64LittleEndian(piece), tail >> 1 >> (8 * (CachedBytes - piece.Length) - 1));
        }

        ulong low = 0;
        for (var i = piece.Length - 1; i >= 0; i--) low = low << 8 | piece[i];
        return (low, 0);
    }

    /// <summary>The plain way: find the first of the pairs that merge earliest, merge it, look again.</summary>
    internal void MergeByScan(ReadOnlySpan<byte> piece, List<int> ids)
    {
        var count = piece.Length;
        for (var i = 0; i < count; i++) _ids[i] = vocabulary.IdOfByte[piece[i]];
        for (var i = 0; i + 1 < count; i++) _ranks[i] = vocabulary.RankOf(_ids[i], _ids[i + 1]);

        while (count > 1)
        {
            var best = 0;
            for (var i = 1; i < count - 1; i++)
            {
                if (_ranks[i] < _ranks[best]) best = i;
            }

            if (_ranks[best] == int.MaxValue) break;
            _ids[best] = vocabulary.ResultOf(_ranks[best]);
            Array.Copy(_ids, best + 2, _ids, best + 1, count - best - 2);
            Array.Copy(_ranks, best + 1, _ranks, best, count - best - 2);
            count--;
            if (best > 0) _ranks[best - 1] = vocabulary.RankOf(_ids[best - 1], _ids[best]);
            if (best + 1 < count) _ranks[best] = vocabulary.RankOf(_ids[best], _ids[best + 1]);
        }

        ids.AddRange(_ids.AsSpan(0, count));
    }

    /// <summary>The same merges in n log n: a queue of pairs by (rank, position), over a linked list of parts.</summary>
    internal void MergeByQueue(ReadOnlySpan<byte> piece, List<int> ids)
    {
        const int Gone = -1;
        var parts = new (int Id, int Previous, int Next)[piece.Length];
        var queue = new PriorityQueue<int, ulong>(piece.Length);
        for (var i = 0; i < piece.Length; i++) parts[i] = (vocabulary.IdOfByte[piece[i]], i - 1, i + 1);
        for (var i = 0; i + 1 < piece.Length; i++) Propose(i);

        while (queue.TryDequeue(out var position, out var priority))
        {
            ref var left = ref parts[position];
            var rank = (int)(priority >> 32);
            // A proposal is stale where one of its two parts has been merged since.
            if (left.Id == Gone || left.Next == parts.Length || vocabulary.RankOf(left.Id, parts[left.Next].Id) != rank) continue;

            ref var right = ref parts[left.Next];
            left.Id = vocabulary.ResultOf(rank);
            left.Next = right.Next;
            right.Id = Gone;
            if (left.Next < parts.Length)
            {
                parts[left.Next].Previous = position;
                Propose(position);
            }

            if (left.Previous >= 0) Propose(left.Previous);
        }

        for (var i = 0; i < parts.Length; i = parts[i].Next) ids.Add(parts[i].Id);

        void Propose(int position)
        {
            var rank = vocabulary.RankOf(parts[position].Id, parts[parts[position].Next].Id);
            if (rank != int.MaxValue) queue.Enqueue(position, ((ulong)(uint)rank << 32) | (uint)position);
        }
    }

    private struct CacheEntry
    {
        public ulong Low, High;
        public byte Length, Count;
        public CachedIdList Ids;
    }

    [InlineArray(CachedIds)]
    private struct CachedIdList
    {
        private int _first;
    }
}
