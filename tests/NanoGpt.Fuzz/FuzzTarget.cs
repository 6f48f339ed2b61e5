// One reader under attack: how its inputs are made, what it may do with them, and how much memory it may take for each.
// The same number and seed always make the same input, so a finding is named by two numbers.

using System.Diagnostics;

namespace NanoGpt.Fuzz;

/// <summary>Makes inputs for one kind of file and runs its reader on them.</summary>
internal abstract class FuzzTarget
{
    /// <summary>All targets by the names of the command line.</summary>
    public static IReadOnlyDictionary<string, Func<FuzzTarget>> All { get; } = new Dictionary<string, Func<FuzzTarget>>
    {
        ["safetensors"] = () => new SafetensorsTarget(),
        ["config"] = () => new ConfigTarget(),
        ["pt"] = () => new CheckpointTarget(),
    };

    /// <summary>The most bytes that reading one input may allocate.</summary>
    public abstract long MaxAllocation { get; }

    /// <summary>Makes an input.</summary>
    public abstract byte[] Make(Random random);

    /// <summary>Reads an input and checks everything that the reader promises of what it accepts.</summary>
    /// <exception cref="ModelFormatException">The input was refused, as most should be.</exception>
    public abstract void Read(byte[] input);

    /// <summary>Runs one input.</summary>
    /// <exception cref="FuzzFinding">The reader did what no reader may do.</exception>
    public FuzzOutcome Run(int seed, long number)
    {
        var input = Make(RandomOf(seed, number));
        var accepted = false;
        var before = GC.GetAllocatedBytesForCurrentThread();
        var started = Stopwatch.GetTimestamp();
        try
        {
            Read(input);
            accepted = true;
        }
        catch (ModelFormatException)
        {
            // Refused, as it should be.
        }
        catch (Exception e)
        {
            throw new FuzzFinding($"seed {seed}, input {number}: {e.GetType().Name}: {e.Message}", input, e);
        }

        var elapsed = Stopwatch.GetElapsedTime(started);
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        if (allocated > MaxAllocation) throw new FuzzFinding($"seed {seed}, input {number}: {allocated} bytes allocated", input);
        return new FuzzOutcome(accepted, allocated, elapsed);
    }

    /// <summary>A generator for one input: SplitMix64's finalizer over seed and number, so that neighbours have nothing in common.</summary>
    private static Random RandomOf(int seed, long number)
    {
        var mixed = unchecked((ulong)seed * 0x9e3779b97f4a7c15ul + (ulong)number * 0xd1b54a32d192ed03ul);
        mixed = unchecked((mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9ul);
        mixed = unchecked((mixed ^ mixed >> 27) * 0x94d049bb133111ebul);
        return new Random((int)(mixed >> 33));
    }

    /// <summary>The contents of files under Vectors/, by pattern.</summary>
    protected static List<byte[]> Seeds(string folder, string pattern) =>
        [.. Directory.GetFiles(Path.Combine(AppContext.BaseDirectory, "Vectors", folder), pattern).Order(StringComparer.Ordinal).Select(File.ReadAllBytes)];

    protected static void Require(bool condition, string what)
    {
        if (!condition) throw new InvalidOperationException($"accepted, but {what}");
    }
}

/// <summary>What reading one input came to.</summary>
internal readonly record struct FuzzOutcome(bool Accepted, long Allocated, TimeSpan Elapsed);

/// <summary>An input that a reader answered with something else than a value or a ModelFormatException.</summary>
internal sealed class FuzzFinding(string message, byte[] input, Exception? cause = null) : Exception(message, cause)
{
    public byte[] Input => input;
}
