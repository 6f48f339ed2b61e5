// Bytes of one piece -> ids, by merging neighbours in the vocabulary's order. Short pieces are scanned, long ones use a
// queue, so that no piece takes quadratic time; a cache remembers the pieces of ordinary text.

using System.Runtime.InteropServices;

namespace NanoGpt.Tokenization;

/// <summary>Merges pieces by one vocabulary. Has a cache and scratch space, so one thread at a time.</summary>
internal sealed class BytePairEncoder(BytePairVocabulary vocabulary)
{
    /// <summary>Pieces of at most so many bytes are merged by scanning.</summary>
    internal const int ScanLimit = 128;

    private readonly PairTable _pairs = vocabulary.Pairs;
    private readonly PieceCache _cache = new();
    private readonly int[] _ids = new int[ScanLimit];
    private readonly (int Rank, int Result)[] _merges = new (int, int)[ScanLimit];

    /// <summary>Appends the ids of <paramref name="piece"/>, each byte of which has an id.</summary>
    public void Encode(ReadOnlySpan<byte> piece, List<int> ids)
    {
        if (piece.Length == 1)
            ids.Add(vocabulary.IdOfByte[piece[0]]);
        else if (piece.Length <= PieceCache.MaxBytes)
            EncodeCached(piece, ids);
        else if (piece.Length <= ScanLimit)
            MergeByScan(piece, ids);
        else
            MergeByQueue(piece, ids);
    }

    private void EncodeCached(ReadOnlySpan<byte> piece, List<int> ids)
    {
        var key = PieceCache.KeyOf(piece);
        if (_cache.TryAppend(key, ids)) return;
        var before = ids.Count;
        MergeByScan(piece, ids);
        _cache.Add(key, CollectionsMarshal.AsSpan(ids)[before..]);
    }

    /// <summary>The plain way: find the first of the pairs that merge earliest, merge it, look again.</summary>
    internal void MergeByScan(ReadOnlySpan<byte> piece, List<int> ids)
    {
        var count = piece.Length;
        for (var i = 0; i < count; i++) _ids[i] = vocabulary.IdOfByte[piece[i]];
        for (var i = 0; i + 1 < count; i++) _merges[i] = _pairs.Get(_ids[i], _ids[i + 1]);

        while (count > 1)
        {
            var best = 0;
            for (var i = 1; i < count - 1; i++)
            {
                if (_merges[i].Rank < _merges[best].Rank) best = i;
            }

            if (_merges[best].Rank == PairTable.None) break;
            _ids[best] = _merges[best].Result;
            Array.Copy(_ids, best + 2, _ids, best + 1, count - best - 2);
            Array.Copy(_merges, best + 1, _merges, best, count - best - 2);
            count--;
            if (best > 0) _merges[best - 1] = _pairs.Get(_ids[best - 1], _ids[best]);
            if (best + 1 < count) _merges[best] = _pairs.Get(_ids[best], _ids[best + 1]);
        }

        ids.AddRange(_ids.AsSpan(0, count));
    }

    /// <summary>The same merges in n log n: a queue of pairs by (rank, position), over a linked list of parts.</summary>
    internal void MergeByQueue(ReadOnlySpan<byte> piece, List<int> ids)
    {
        const int Gone = -1;
        var parts = new Part[piece.Length];
        var queue = new MergeQueue(piece.Length);
        for (var i = 0; i < piece.Length; i++) parts[i] = new Part { Id = vocabulary.IdOfByte[piece[i]], Previous = i - 1, Next = i + 1 };
        for (var i = 0; i + 1 < piece.Length; i++) Propose(i);

        while (queue.TryTake(out var rank, out var position))
        {
            ref var left = ref parts[position];
            // A proposal is stale where one of its two parts has been merged since.
            if (left.Id == Gone || left.Next == parts.Length) continue;
            ref var right = ref parts[left.Next];
            var (present, result) = _pairs.Get(left.Id, right.Id);
            if (present != rank) continue;

            left.Id = result;
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
            ref var left = ref parts[position];
            var (rank, _) = _pairs.Get(left.Id, parts[left.Next].Id);
            if (rank != PairTable.None) queue.Add(rank, position);
        }
    }

    private struct Part
    {
        public int Id, Previous, Next;
    }
}
