// C# in the docs is code that runs: each block is a region of tests/NanoGpt.Consumer to the letter, its using lines apart,
// which must be there too. ConsumerTests builds and runs all of it. Command lines are read by the program's own reader.

using NanoGpt.EndToEnd.Package;
using NanoGpt.Samples;
using NanoGpt.Samples.CommandLine;

namespace NanoGpt.EndToEnd.Docs;

public sealed class CodeTests
{
    // What `<ImplicitUsings>` and the namespace of the examples bring anyway.
    private static readonly string[] Given = ["using NanoGpt;", "using System;"];

    [Fact]
    public void Each_block_of_csharp_is_a_region_that_runs()
    {
        var files = Directory.GetFiles(Repository.File("tests", "NanoGpt.Consumer"), "*.cs").Select(File.ReadAllLines).ToList();
        var faults = new List<string>();
        foreach (var page in MarkdownPage.All)
        {
            foreach (var (_, lines) in page.Code.Where(c => c.Language == "csharp"))
            {
                var usings = lines.TakeWhile(l => l.StartsWith("using ", StringComparison.Ordinal) && l.EndsWith(';') && !l.Contains('=', StringComparison.Ordinal)).ToList();
                var body = Text(lines.Skip(usings.Count));
                var file = files.Find(f => Regions(f).Any(r => r == body));
                if (file is null) faults.Add($"{page.Name}: no region is this code:\n{body}");
                else faults.AddRange(usings.Except(Given).Except(file).Select(u => $"{page.Name}: '{u}' is not what its region is compiled with"));
            }
        }

        Assert.True(faults.Count == 0, string.Join("\n\n", faults));
    }

    [Fact]
    public void Each_region_stands_in_the_docs()
    {
        var blocks = MarkdownPage.All.SelectMany(p => p.Code).Select(c => Text(c.Lines)).ToList();
        var regions = Directory.GetFiles(Repository.File("tests", "NanoGpt.Consumer"), "*.cs").SelectMany(f => Regions(File.ReadAllLines(f))).ToList();
        Assert.NotEmpty(regions);
        Assert.All(regions, r => Assert.Contains(blocks, b => b.EndsWith(r, StringComparison.Ordinal)));
    }

    [Fact]
    public void Each_command_line_has_a_command_and_options_that_exist()
    {
        var faults = new List<string>();
        foreach (var (page, line) in MarkdownPage.All.SelectMany(page => CommandLine.In(page).Select(line => (page, line))))
        {
            try
            {
                var command = CommandList.Find(line.Arguments[0]) ?? throw new UsageException($"there is no command '{line.Arguments[0]}'");
                var options = line.Arguments.Skip(1).Where(a => !a.StartsWith("configs/", StringComparison.Ordinal)).ToArray();
                command.Options.Bind(ArgumentReader.Read(options, command.Options, command.TakesConfigFiles));
            }
            catch (UsageException e)
            {
                faults.Add($"{page.Name}: {line.Text}\n    {e.Message}");
            }
        }

        Assert.True(faults.Count == 0, string.Join('\n', faults));
    }

    [Fact]
    public void Code_stands_in_fences_that_name_its_language()
    {
        string[] known = ["csharp", "sh", "text", "json", "xml"];
        var unnamed = MarkdownPage.All.SelectMany(p => p.Code.Where(c => !known.Contains(c.Language)).Select(c => $"{p.Name}: ```{c.Language} before {c.Lines[0]}"));
        var indented = MarkdownPage.All.SelectMany(p => p.IndentedCode.Select(line => $"{p.Name}: {line}"));
        Assert.Empty(unnamed.Concat(indented));
    }

    private static IEnumerable<string> Regions(string[] lines)
    {
        for (var i = 0; i < lines.Length; i++)
        {
            if (!lines[i].TrimStart().StartsWith("#region", StringComparison.Ordinal)) continue;
            var end = Array.FindIndex(lines, i, l => l.Trim() == "#endregion");
            var indent = lines[i].Length - lines[i].TrimStart().Length;
            yield return Text(lines[(i + 1)..end].Select(l => l.Length > indent ? l[indent..] : ""));
        }
    }

    private static string Text(IEnumerable<string> lines) => string.Join('\n', lines).Trim('\n');
}
