// Names of a repository's files, judged before they become paths. The rules are IO/FileNames.cs; here they end in the Hub's
// exception.

using NanoGpt.IO;

namespace NanoGpt.Hub;

/// <summary>Refuses file names of repositories and indexes that are not safe on every system.</summary>
internal static class HubFileName
{
    /// <summary>Throws unless <paramref name="name"/> is a relative path that stays inside its folder on every system.</summary>
    /// <param name="name">Segments separated by <c>/</c>.</param>
    /// <param name="source">Where the name comes from, for the message.</param>
    /// <exception cref="HubException">It is not; the kind is <see cref="HubErrorKind.UnsafeName"/>.</exception>
    public static void Check(string name, string source)
    {
        if (FileNames.FaultOf(name) is { } fault) throw Unsafe(name, fault, source, "Expected a relative name that is safe on every system.");
    }

    /// <summary>Like <see cref="Check"/>, and the name must be a single segment.</summary>
    public static void CheckSegment(string name, string source)
    {
        var fault = name.Contains('/', StringComparison.Ordinal) ? "contains a path separator" : FileNames.FaultOf(name);
        if (fault is not null) throw Unsafe(name, fault, source, "Expected a plain file name.");
    }

    private static HubException Unsafe(string name, string fault, string source, string expected) =>
        new(HubErrorKind.UnsafeName, $"{source}: the file name {UntrustedText.Quote(name)} {fault}. Nothing was written. {expected}");
}
