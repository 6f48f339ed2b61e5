// Which two neighbouring ids merge, when, and into what. The innermost loop of encoding asks it several times a byte, so an
// answer should be one place in memory: open addressing, key and answer side by side.

using System.Numerics;

namespace NanoGpt.Tokenization;

/// <summary>A hash table from pairs of ids to merges. Filled once, then read from any thread.</summary>
internal sealed class PairTable
{
    /// <summary>The rank of a pair that does not merge: after all others.</summary>
    public const int None = int.MaxValue;

    private readonly Entry[] _entries;
    private readonly int _shift;

    /// <param name="capacity">How many pairs will be set at most.</param>
    public PairTable(int capacity)
    {
        // At most half full, so that a search ends after a step or two.
        var bits = Math.Max(4, BitOperations.Log2((uint)Math.Max(1, capacity)) + 2);
        _entries = new Entry[1 << bits];
        Array.Fill(_entries, new Entry { Rank = None });
        _shift = 64 - bits;
    }

    /// <summary>Says that two neighbours merge; a later word on the same pair replaces an earlier one.</summary>
    public void Set(int left, int right, int rank, int result)
    {
        ref var entry = ref Find(left, right);
        entry = new Entry { Left = left, Right = right, Rank = rank, Result = result };
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
