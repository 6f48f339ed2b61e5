// A page of the docs as the tests see it: its fenced code, its links, its headings.

using System.Text.RegularExpressions;
using NanoGpt.EndToEnd.Package;

namespace NanoGpt.EndToEnd.Docs;

internal sealed partial class MarkdownPage
{
    private readonly List<string> _prose = [];

    private MarkdownPage(string path)
    {
        Path = path;
        Parse(File.ReadAllLines(path));
    }

    public string Path { get; }

    public string Name => System.IO.Path.GetRelativePath(Repository.Root, Path).Replace('\\', '/');

    /// <summary>Fenced blocks: the word after the fence, and the lines inside.</summary>
    public List<(string Language, IReadOnlyList<string> Lines)> Code { get; } = [];

    /// <summary>Names that a link to this page may have after its #, as GitHub makes them from headings.</summary>
    public HashSet<string> Anchors { get; } = [];

    /// <summary>Targets of links and pictures.</summary>
    public IEnumerable<string> Links => _prose.SelectMany(line => Link().Matches(InlineCode().Replace(line, "")))
        .Select(m => m.Groups["target"].Value);

    /// <summary>Lines that Markdown shows as code because four spaces stand before them and an empty line above.</summary>
    public IEnumerable<string> IndentedCode => _prose.Zip(_prose.Skip(1)).Where(pair => pair.First.Length == 0 && IsIndented(pair.Second)).Select(pair => pair.Second);

    /// <summary>All pages of the repository that people read.</summary>
    public static IReadOnlyList<MarkdownPage> All { get; } = Directory.GetFiles(Repository.Root, "*.md")
        .Concat(Directory.GetFiles(Repository.File("docs"), "*.md", SearchOption.AllDirectories))
        .Concat(Directory.GetFiles(Repository.File(".github"), "*.md", SearchOption.AllDirectories))
        .Select(path => new MarkdownPage(path)).ToList();

    /// <summary>The page that people see first.</summary>
    public static MarkdownPage Readme => All.Single(page => page.Name == "README.md");

    private void Parse(string[] lines)
    {
        for (var i = 0; i < lines.Length; i++)
        {
            if (Fence().Match(lines[i]) is not { Success: true } fence)
            {
                _prose.Add(lines[i]);
                if (Heading().Match(lines[i]) is { Success: true } heading) Anchors.Add(Anchor(heading.Groups["text"].Value));
                continue;
            }

            var end = Array.FindIndex(lines, i + 1, l => l.StartsWith("```", StringComparison.Ordinal));
            Assert.True(end > i, $"{Path}({i + 1}): the fence is never closed.");
            Code.Add((fence.Groups["language"].Value, lines[(i + 1)..end]));
            i = end;
        }
    }

    private static bool IsIndented(string line) => line.StartsWith("    ", StringComparison.Ordinal) || line.StartsWith('\t');

    private static string Anchor(string heading) =>
        NotInAnchors().Replace(heading.ToLowerInvariant(), "").Replace(' ', '-');

    [GeneratedRegex(@"^```(?<language>\w*)\s*$")]
    private static partial Regex Fence();

    [GeneratedRegex(@"^#{1,6} (?<text>.+?)\s*$")]
    private static partial Regex Heading();

    [GeneratedRegex(@"\]\((?<target>[^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex("`[^`]*`")]
    private static partial Regex InlineCode();

    [GeneratedRegex(@"[^\w\- ]")]
    private static partial Regex NotInAnchors();
}
