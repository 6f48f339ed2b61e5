// A number that tells whether weights have changed since they were last looked at. Not for files, whose check is SHA-256:
// it withstands accidents, not malice.

using System.Numerics;
using System.Runtime.CompilerServices;

namespace NanoGpt.Formats;

/// <summary>Fingerprints of weights. A change of one value always changes it; of several, all but once in 2^32 times.</summary>
internal static unsafe class WeightFingerprint
{
    private const uint Multiplier = 0x9E3779B1; // odd: multiplying loses nothing
    private const int ChunkBytes = 1 << 20;

    /// <summary>Reads every byte, on all cores, at about the speed of the memory.</summary>
    public static ulong Of(GPTWeights weights)
    {
        var chunks = new List<(nint First, int Length)>();
        foreach (var weight in weights.Tensors.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => pair.Value))
        {
            for (var offset = 0L; offset < weight.ByteCount; offset += ChunkBytes)
                chunks.Add(((nint)(weight.Data + offset), (int)Math.Min(ChunkBytes, weight.ByteCount - offset)));
        }

        var parts = new ulong[chunks.Count];
        Parallel.For(0, parts.Length, i => parts[i] = OfBytes(new ReadOnlySpan<byte>((void*)chunks[i].First, chunks[i].Length)));

        var all = 0UL;
        foreach (var part in parts) all = (BitOperations.RotateLeft(all, 29) ^ part) * 0x9E3779B97F4A7C15;
        return all;
    }

    private static ulong OfBytes(ReadOnlySpan<byte> bytes)
    {
        // Four sums, because one would wait for its own multiplication.
        var (a, b, c, d) = (Vector<uint>.Zero, Vector<uint>.One, Vector<uint>.Zero, Vector<uint>.One);
        var step = 4 * Vector<byte>.Count;
        for (; bytes.Length >= step; bytes = bytes[step..])
        {
            a = a * Multiplier + Next(bytes, 0);
            b = b * Multiplier + Next(bytes, 1);
            c = c * Multiplier + Next(bytes, 2);
            d = d * Multiplier + Next(bytes, 3);
        }

        var sum = 0UL;
        Add(ref sum, a);
        Add(ref sum, b);
        Add(ref sum, c);
        Add(ref sum, d);
        foreach (var rest in bytes) sum = sum * Multiplier + rest;
        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<uint> Next(ReadOnlySpan<byte> bytes, int index) =>
        Vector.AsVectorUInt32(new Vector<byte>(bytes[(index * Vector<byte>.Count)..]));

    private static void Add(ref ulong sum, Vector<uint> lanes)
    {
        for (var i = 0; i < Vector<uint>.Count; i++) sum = BitOperations.RotateLeft(sum * 0x9E3779B97F4A7C15, 31) + lanes[i];
    }
}
