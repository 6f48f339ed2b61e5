// The message for a name that does not exist, with the closest one that does.

namespace NanoGpt.Samples.CommandLine;

internal static class UnknownName
{
    public static string Message(string kind, string name, IEnumerable<string> known) =>
        ConfigFile.Closest(name, known) is { } closest
            ? $"unknown {kind} '{name}'; did you mean '{closest}'?"
            : $"unknown {kind} '{name}'; --help lists what there is.";
}
