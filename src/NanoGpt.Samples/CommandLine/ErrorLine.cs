// An exception as the one line that a user reads.

using System.Text.RegularExpressions;

namespace NanoGpt.Samples.CommandLine;

internal static partial class ErrorLine
{
    public static string For(Exception exception)
    {
        var message = Spaces().Replace(exception.Message, " ").Trim();
        return exception switch
        {
            ArgumentException { ParamName: { } parameter } => message.Replace($" (Parameter '{parameter}')", "", StringComparison.Ordinal),
            UsageException or NanoGptException or ArgumentException or IOException or UnauthorizedAccessException => message,
            _ => $"{exception.GetType().Name}: {message} (not expected; --verbose shows where)",
        };
    }

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();
}
