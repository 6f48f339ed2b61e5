// What a command is given besides its options: where to write, and how it learns that it should stop.

using NanoGpt.Samples.Terminal;

namespace NanoGpt.Samples;

/// <summary>One run of one command.</summary>
/// <param name="Output">Standard output: what the user asked for, and nothing else.</param>
/// <param name="Status">Standard error: progress and remarks.</param>
/// <param name="Stop">Ctrl-C and SIGTERM.</param>
internal sealed record Session(Screen Output, Screen Status, StopSignal Stop)
{
    /// <summary>Names of the options that the user gave, in a file or on the command line; the rest are defaults.</summary>
    public IReadOnlySet<string> Given { get; init; } = new HashSet<string>();
}
