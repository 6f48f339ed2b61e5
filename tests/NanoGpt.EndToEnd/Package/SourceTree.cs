// The sources as they lie here, as one commit in a folder of its own: what somebody else would clone and pack. Two trees of one
// moment are the same commit.

using System.ComponentModel;

namespace NanoGpt.EndToEnd.Package;

internal sealed record SourceTree(string Root)
{
    /// <summary>The address that the commit says it is from; nobody asks it.</summary>
    public const string Address = "https://github.com/example/NanoGpt";

    private static readonly Dictionary<string, string> Author = new()
    {
        ["GIT_AUTHOR_NAME"] = "A", ["GIT_AUTHOR_EMAIL"] = "a@example.org", ["GIT_AUTHOR_DATE"] = "2026-01-01T00:00:00Z",
        ["GIT_COMMITTER_NAME"] = "A", ["GIT_COMMITTER_EMAIL"] = "a@example.org", ["GIT_COMMITTER_DATE"] = "2026-01-01T00:00:00Z",
        ["GIT_CONFIG_GLOBAL"] = "", ["GIT_CONFIG_NOSYSTEM"] = "1",
    };

    /// <summary>The commit; null where this machine has no git, and the tree is that of an archive.</summary>
    public string? Commit { get; private init; }

    /// <summary>Whatever building and packing needs, copied to <paramref name="root"/> and committed there.</summary>
    public static async Task<SourceTree> CommitAsync(string root)
    {
        Copy("", SearchOption.TopDirectoryOnly);
        Copy("src", SearchOption.AllDirectories);
        Copy(Path.Combine("docs", "images"), SearchOption.AllDirectories);

        var tree = new SourceTree(root);
        try
        {
            await tree.GitAsync("init", "--quiet");
        }
        catch (Win32Exception)
        {
            return tree;
        }

        await tree.GitAsync("remote", "add", "origin", Address + ".git");
        await tree.GitAsync("add", "--all");
        await tree.GitAsync("commit", "--quiet", "--message", "The sources");
        return tree with { Commit = await tree.GitAsync("rev-parse", "HEAD") };

        void Copy(string folder, SearchOption depth)
        {
            foreach (var file in Directory.EnumerateFiles(Repository.File(folder), "*", depth))
            {
                var name = Path.GetRelativePath(Repository.Root, file);
                if (name.Split(Path.DirectorySeparatorChar).Intersect(["bin", "obj", ".git"]).Any()) continue;
                Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(root, name))!);
                File.Copy(file, Path.Combine(root, name));
            }
        }
    }

    /// <summary>Packs a project as CONTRIBUTING.md says, but for the analyzers, which the build before has had.</summary>
    public Task PackAsync(string project, string feed, string version, params string[] properties) => Shell.Dotnet(Root,
        ["pack", project, "-c", "Release", "-o", feed, $"-p:MinVerVersionOverride={version}", "-p:RunAnalyzers=false", .. properties]);

    private async Task<string> GitAsync(params string[] arguments)
    {
        var (exitCode, output) = await Shell.Run(Root, "git", arguments, Author);
        Assert.True(exitCode == 0, output);
        return output.Trim();
    }
}
