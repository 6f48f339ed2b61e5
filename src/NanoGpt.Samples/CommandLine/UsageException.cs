// A mistake on the command line itself; what the library refuses has exceptions of its own.

namespace NanoGpt.Samples.CommandLine;

/// <param name="message">One sentence: what is wrong, and what would be right.</param>
internal sealed class UsageException(string message) : Exception(message);
