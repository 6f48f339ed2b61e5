// Links between the pages, and from them to files of the repository. Addresses outside are not asked.

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
