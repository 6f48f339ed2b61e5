// Which numbers dropout drops. Random numbers by position instead of from a stream: the way back, on any thread and in any
// order, finds those of the way forward, and nothing has to be kept.

using System.Runtime.CompilerServices;

namespace NanoGpt.Backpropagation;

/// <summary>A random bit for each position, 0 with probability <see cref="Share"/>.</summary>
/// <param name="share">The share that is dropped, from 0 up to, not including, 1.</param>
/// <param name="key">What makes this mask another than the next.</param>
internal readonly struct DropoutMask(double share, ulong key)
{
    private readonly ulong _limit = (ulong)(share * (1UL << 53));

    public double Share => share;

    /// <summary>What is kept is multiplied by it, so that the mean stays.</summary>
    public float Factor => (float)(1 / (1 - share));

    /// <summary>Another mask with the same share.</summary>
    public DropoutMask Derived(int number) => new(share, Mixed(key + (ulong)number + 1));

    /// <summary>Whether the number at a position is kept.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Keeps(long position) => Mixed(key ^ (ulong)position) >> 11 >= _limit;

    // The finalizer of SplitMix64 (Steele, Lea, Flood 2014), on multiples of the golden ratio as there.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Mixed(ulong x)
    {
        x *= 0x9E3779B97F4A7C15;
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
        return x ^ (x >> 31);
    }
}
