// The page for nanoGPT's users against the commands: what can be typed is on the page, and what the page names can be typed.

using System.Text.RegularExpressions;
using NanoGpt.EndToEnd.Package;
using NanoGpt.Samples;

namespace NanoGpt.EndToEnd.Docs;

public sealed class OptionTests
{
    private static readonly string Page = File.ReadAllText(Repository.File("docs", "nanogpt-users.md"));

    [Theory]
    [InlineData("train")]
    [InlineData("sample")]
    public void Each_option_is_on_the_page_for_nanoGPT_users(string command)
    {
        var missing = CommandList.Find(command)!.Options.All.Select(o => o.Name).Where(name => !Page.Contains($"`{name}`", StringComparison.Ordinal));
        Assert.Empty(missing);
    }

    [Fact]
    public void Each_option_that_the_page_names_exists()
    {
        var options = CommandList.All.SelectMany(c => c.Options.All).Select(o => o.Name).ToHashSet();
        var firstCells = Page.Split('\n').SkipWhile(line => !line.StartsWith("## Each option", StringComparison.Ordinal))
            .Where(line => line.StartsWith("| ", StringComparison.Ordinal)).SelectMany(line => Regex.Matches(line.Split('|')[1], "`([a-z0-9_]+)`"));
        Assert.All(firstCells, match => Assert.Contains(match.Groups[1].Value, options));
    }
}
