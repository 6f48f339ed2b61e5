// Seeds for every random choice of a run, from the run's seed and the choice's place. Nothing is carried from step to step,
// so a resumed run draws what the undisturbed one would have drawn.

namespace NanoGpt.Training;

/// <summary>Mixes a run's seed with a place in the run.</summary>
internal static class RandomSeed
{
    /// <summary>A seed from 0 to 2^63 - 1; near places give unrelated seeds.</summary>
    public static long Of(int seed, int iteration, int index) =>
        (long)(Mix(Mix(Mix((uint)seed) ^ (uint)iteration) ^ (uint)index) >> 1);

    // SplitMix64's output function (Steele, Lea, Flood 2014), after its increment.
    private static ulong Mix(ulong z)
    {
        z = unchecked(z + 0x9E3779B97F4A7C15);
        z = unchecked((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9);
        z = unchecked((z ^ (z >> 27)) * 0x94D049BB133111EB);
        return z ^ (z >> 31);
    }
}
