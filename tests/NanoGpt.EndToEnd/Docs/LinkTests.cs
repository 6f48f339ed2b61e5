// Links between the pages, and from them to files of the repository. Addresses outside are not asked.

using NanoGpt.EndToEnd.Package;

namespace NanoGpt.EndToEnd.Docs;

public sealed class LinkTests
{
    [Fact]
    public void Relative_links_and_anchors_lead_somewhere()
    {
        var dead = MarkdownPage.All.SelectMany(page => page.Links.Where(link => !Leads(page, link)).Select(link => $"{page.Name}: {link}")).ToList();
        Assert.True(dead.Count == 0, string.Join('\n', dead));
        Assert.NotEmpty(MarkdownPage.All.SelectMany(page => page.Links)); // a reader that sees no link would find none dead
    }

    [Fact]
    public void Each_page_of_docs_can_be_reached_from_README()
    {
        var pages = MarkdownPage.All.ToDictionary(page => page.Path);
        var reached = new HashSet<string>();
        var waiting = new Queue<string>([Repository.File("README.md")]);
        while (waiting.TryDequeue(out var path))
        {
            if (!pages.TryGetValue(path, out var page) || !reached.Add(path)) continue;
            foreach (var link in page.Links.Where(IsRelative)) waiting.Enqueue(Target(page, link).Path);
        }

        var lost = MarkdownPage.All.Where(p => p.Name.StartsWith("docs/", StringComparison.Ordinal) && !reached.Contains(p.Path)).Select(p => p.Name).ToList();
        Assert.True(lost.Count == 0, $"No page leads to {string.Join(", ", lost)}: docs/README.md and docs/decisions/README.md list what there is.");
    }

    private static bool IsRelative(string link) => !link.Contains("://", StringComparison.Ordinal) && !link.StartsWith("mailto:", StringComparison.Ordinal);

    private static bool Leads(MarkdownPage page, string link)
    {
        if (!IsRelative(link)) return true;
        var (path, anchor) = Target(page, link);
        if (!Path.Exists(path)) return false;
        return anchor.Length == 0 || MarkdownPage.All.Any(p => p.Path == path && p.Anchors.Contains(anchor));
    }

    private static (string Path, string Anchor) Target(MarkdownPage page, string link)
    {
        var parts = link.Split('#', 2);
        var path = parts[0].Length == 0 ? page.Path : Path.GetFullPath(Path.Combine(Path.GetDirectoryName(page.Path)!, parts[0]));
        return (path.TrimEnd(Path.DirectorySeparatorChar), parts.Length > 1 ? parts[1] : "");
    }
}
