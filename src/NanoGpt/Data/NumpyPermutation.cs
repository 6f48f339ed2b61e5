// Which documents nanoGPT's openwebtext/prepare.py keeps for validation: datasets.train_test_split takes the first of
// numpy.random.default_rng(seed).permutation(n). So that ours are the same ones, this is that: SeedSequence, PCG64 and the
// shuffle of numpy (1.17 and later), as numpy documents them.

using System.Numerics;

namespace NanoGpt.Data;

/// <summary>numpy's <c>default_rng(seed).permutation(n)</c>.</summary>
internal static class NumpyPermutation
{
    /// <summary>The numbers from 0 to <paramref name="count"/> - 1, shuffled.</summary>
    public static int[] Create(int count, uint seed)
    {
        var random = new Pcg64(seed);
        var numbers = new int[count];
        for (var i = 0; i < count; i++) numbers[i] = i;
        for (var i = count - 1; i > 0; i--)
        {
            var j = random.UpTo((uint)i);
            (numbers[i], numbers[j]) = (numbers[j], numbers[i]);
        }

        return numbers;
    }

    // O'Neill's PCG XSL RR 128/64, seeded as numpy seeds it.
    private sealed class Pcg64
    {
        private static readonly UInt128 Multiplier = new(2549297995355413924, 4865540595714422341);

        private readonly UInt128 _increment;
        private UInt128 _state;
        private uint? _upperHalf;

        public Pcg64(uint seed)
        {
            var words = SeedWords(seed);
            _increment = (new UInt128(words[2], words[3]) << 1) | 1;
            _state = (_increment + new UInt128(words[0], words[1])) * Multiplier + _increment;
        }

        // As many bits as the largest number has, drawn again where they are too many.
        public uint UpTo(uint largest)
        {
            var mask = BitOperations.RoundUpToPowerOf2((ulong)largest + 1) - 1;
            for (; ; )
            {
                var value = Next32() & (uint)mask;
                if (value <= largest) return value;
            }
        }

        private uint Next32()
        {
            if (_upperHalf is { } half)
            {
                _upperHalf = null;
                return half;
            }

            _state = _state * Multiplier + _increment;
            var high = (ulong)(_state >> 64);
            var next = ulong.RotateRight(high ^ (ulong)_state, (int)(high >> 58));
            _upperHalf = (uint)(next >> 32);
            return (uint)next;
        }

        // numpy's SeedSequence with one word of entropy: a pool of four words, mixed, then drawn from.
        private static ulong[] SeedWords(uint seed)
        {
            var constant = 0x43b0d7e5u;
            var pool = new uint[4];
            for (var i = 0; i < 4; i++) pool[i] = Hash(i == 0 ? seed : 0);
            for (var source = 0; source < 4; source++)
            {
                for (var target = 0; target < 4; target++)
                {
                    if (source != target) pool[target] = Mix(pool[target], Hash(pool[source]));
                }
            }

            constant = 0x8b51f9dd;
            var words = new ulong[4];
            for (var i = 0; i < 8; i++) words[i / 2] |= (ulong)Draw(pool[i % 4]) << (32 * (i % 2));
            return words;

            uint Hash(uint value)
            {
                value ^= constant;
                constant *= 0x931e8875;
                value *= constant;
                return value ^ (value >> 16);
            }

            uint Draw(uint value)
            {
                value ^= constant;
                constant *= 0x58f38ded;
                value *= constant;
                return value ^ (value >> 16);
            }

            static uint Mix(uint x, uint y)
            {
                var result = 0xca01f9dd * x - 0x4973f715 * y;
                return result ^ (result >> 16);
            }
        }
    }
}
