// Which two neighbouring ids merge, when, and into what. The innermost loop of encoding asks it several times a byte, so an
// answer should be one place in memory: open addressing, key and answer side by side.

using System.Numerics;
using System.Runtime.CompilerServices;

namespace NanoGpt.Tokenization;

/// <summary>A hash table from pairs of ids to merges. Filled once, then read from any thread.</summary>
internal sealed class PairTable
{
    /// <summary>The rank of a pair that does not merge: after all others.</summary>
    public const int None = int.MaxValue;

    private readonly Entry[] _entries;
    private readonly int _shift;

    /// <param name="merges">The merges, the first to merge first; a later one of the same pair replaces an earlier one.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)] // runs once, while a user waits for the first token
    public PairTable(ReadOnlySpan<Merge> merges)
    {
        // At most half full, so that a search ends after a step or two.
        var bits = Math.Max(4, BitOperations.Log2((uint)Math.Max(1, merges.Length)) + 2);
        _shift = 64 - bits;
        _entries = new Entry[1 << bits];
        for (var i = 0; i < _entries.Length; i++) _entries[i].Rank = None;
        for (var rank = 0; rank < merges.Length; rank++)
        {
            var merge = merges[rank];
            Find(merge.Left, merge.Right) = new Entry { Left = merge.Left, Right = merge.Right, Rank = rank, Result = merge.Result };
        }
    }

    /// <summary>The place of a pair in the order of merges, and what the merge gives.</summary>
    public (int Rank, int Result) Get(int left, int right)
    {
        ref var entry = ref Find(left, right);
        return (entry.Rank, entry.Result);
    }

    private ref Entry Find(int left, int right)
    {
        var index = (int)((Hash.Seed ^ (((ulong)(uint)left << 32) | (uint)right)) * Hash.Multiplier >> _shift);
        while (true)
        {
            ref var entry = ref _entries[index];
            if ((entry.Left == left && entry.Right == right) || entry.Rank == None) return ref entry;
            index = (index + 1) & (_entries.Length - 1);
        }
    }

    private struct Entry
    {
        public int Left, Right, Rank, Result;
    }

    /// <summary>Multiplicative hashing under numbers of this process, so that no vocabulary can be made whose pairs all meet.</summary>
    private static class Hash
    {
        public static readonly ulong Seed = (ulong)Random.Shared.NextInt64();
        public static readonly ulong Multiplier = (ulong)Random.Shared.NextInt64() << 1 | 1;
    }
}
