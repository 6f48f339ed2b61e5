// The command lines of `nanogpt` in a page's shell blocks, as the program gets them.

namespace NanoGpt.EndToEnd.Docs;

/// <param name="Text">As it stands on the page, without a comment at its end.</param>
/// <param name="Arguments">What the program gets: the command, then its options.</param>
internal sealed record CommandLine(string Text, IReadOnlyList<string> Arguments)
{
    public static IEnumerable<CommandLine> In(MarkdownPage page) =>
        from block in page.Code
        where block.Language == "sh"
        from line in Joined(block.Lines)
        let text = line.Split(" # ")[0].Trim()
        let arguments = ArgumentsOf(text)
        where arguments is not null
        select new CommandLine(text, arguments);

    /// <summary>Lines that end in a backslash go on in the next.</summary>
    private static string[] Joined(IEnumerable<string> lines) =>
        string.Join('\n', lines).Replace("\\\n", " ", StringComparison.Ordinal).Split('\n');

    /// <summary>Null where the line is another program's.</summary>
    private static List<string>? ArgumentsOf(string line)
    {
        var words = ShellWords.Split(line);
        var start = words.Count > 0 && words[0] == "nanogpt" ? 1
            : words.Contains("src/NanoGpt.Samples") && words.Contains("--") ? words.IndexOf("--") + 1 : -1;
        return start < 0 ? null : words[start..];
    }
}
