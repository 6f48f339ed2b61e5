// The draws of a sampler: the same on every machine and in every version of .NET, which System.Random does not promise.

using System.Numerics;
using System.Security.Cryptography;

namespace NanoGpt.Inference;

/// <summary>The generator xoshiro256** (Blackman and Vigna), seeded by splitmix64. One for each sequence.</summary>
internal sealed class RandomSource
{
    private readonly ulong[] _state = new ulong[4];

    /// <summary>Starts a stream of draws.</summary>
    /// <param name="seed">The same seed gives the same draws; null takes one from the system.</param>
    /// <param name="stream">Another stream of the same seed: the number of the sequence.</param>
    public RandomSource(long? seed, int stream = 0)
    {
        var mixed = unchecked((ulong)(seed ?? BitConverter.ToInt64(RandomNumberGenerator.GetBytes(8))) + ((ulong)stream << 32));
        for (var i = 0; i < _state.Length; i++) _state[i] = SplitMix(ref mixed);
    }

    /// <summary>The next number from 0 up to, not including, 1; a multiple of 2^-53.</summary>
    public double NextDouble()
    {
        var result = BitOperations.RotateLeft(_state[1] * 5, 7) * 9;
        var shifted = _state[1] << 17;
        _state[2] ^= _state[0];
        _state[3] ^= _state[1];
        _state[1] ^= _state[2];
        _state[0] ^= _state[3];
        _state[2] ^= shifted;
        _state[3] = BitOperations.RotateLeft(_state[3], 45);
        return (result >> 11) * (1.0 / (1L << 53));
    }

    private static ulong SplitMix(ref ulong state)
    {
        state += 0x9E3779B97F4A7C15;
        var z = state;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
