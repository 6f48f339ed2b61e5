// Names of repositories and revisions: what is allowed, the folder each has in the cache, and the few models that the
// Hub knows under two names. Touches no file system and no network.

using System.Text.RegularExpressions;
using NanoGpt.IO;

namespace NanoGpt.Hub;

/// <summary>A model repository's id, such as <c>openai-community/gpt2</c>.</summary>
internal sealed partial record HubRepository
{
    private const string FolderPrefix = "models--";

    // Moved when the Hub gave every model an owner; both names still work, and each has its own cache folder.
    private static readonly (string Short, string Full)[] Aliases =
    [
        ("gpt2", "openai-community/gpt2"),
        ("gpt2-medium", "openai-community/gpt2-medium"),
        ("gpt2-large", "openai-community/gpt2-large"),
        ("gpt2-xl", "openai-community/gpt2-xl"),
        ("distilgpt2", "distilbert/distilgpt2"),
    ];

    private HubRepository(string id) => Id = id;

    /// <summary><c>name</c> or <c>owner/name</c>.</summary>
    public string Id { get; }

    /// <summary>The name of its folder in the cache, as Python makes it.</summary>
    public string FolderName => FolderPrefix + Id.Replace("/", "--", StringComparison.Ordinal);

    /// <summary>Reads an id.</summary>
    /// <exception cref="ArgumentException">It is not one.</exception>
    public static HubRepository Parse(string id)
    {
        ArgumentNullException.ThrowIfNull(id);
        if (id.Length > 96 || !IdPattern().IsMatch(id) || id.Contains("--", StringComparison.Ordinal)
            || id.Contains("..", StringComparison.Ordinal) || id.EndsWith(".git", StringComparison.Ordinal))
        {
            throw new ArgumentException(
                $"{UntrustedText.Quote(id)} is neither a folder that exists nor the id of a Hub repository. Expected 'name' or 'owner/name' " +
                "of letters, digits, '-', '_' and '.', at most 96 characters, such as openai-community/gpt2.", nameof(id));
        }

        return new HubRepository(id);
    }

    /// <summary>The repository of a model and its other names, the one to download from first.</summary>
    public static IReadOnlyList<HubRepository> ParseModel(string id)
    {
        var named = Parse(id);
        foreach (var (alias, full) in Aliases)
        {
            if (named.Id == alias || named.Id == full) return [new HubRepository(full), new HubRepository(alias)];
        }

        return [named];
    }

    /// <summary>The repository that a cache folder belongs to, or null where the folder's name is not of that form.</summary>
    public static HubRepository? FromFolderName(string folder)
    {
        if (!folder.StartsWith(FolderPrefix, StringComparison.Ordinal)) return null;
        var id = folder[FolderPrefix.Length..].Replace("--", "/", StringComparison.Ordinal);
        return IdPattern().IsMatch(id) ? new HubRepository(id) : null;
    }

    /// <summary>Throws unless <paramref name="revision"/> can be the name of a branch, tag, pull request or commit.</summary>
    /// <exception cref="ArgumentException">It can't.</exception>
    public static void CheckRevision(string revision)
    {
        ArgumentNullException.ThrowIfNull(revision);
        // It becomes a file under refs/: git's own rules for names plus those for files.
        var fault = FileNames.FaultOf(revision);
        if (fault is null && (revision.Length > 200 || revision.AsSpan().IndexOfAny(" ~^[") >= 0
            || revision.Contains("..", StringComparison.Ordinal) || revision.Contains("@{", StringComparison.Ordinal)
            || revision.StartsWith('-') || revision.EndsWith(".lock", StringComparison.Ordinal)))
            fault = "breaks git's rules for the name of a branch, tag or commit";
        if (fault is not null)
            throw new ArgumentException($"revision: {UntrustedText.Quote(revision)} {fault}. Expected a branch, tag or commit, such as main.", nameof(revision));
    }

    /// <summary>Whether <paramref name="revision"/> is a whole commit hash, which can't come to mean something else.</summary>
    public static bool IsCommit(string revision) => CommitPattern().IsMatch(revision);

    /// <inheritdoc/>
    public override string ToString() => Id;

    [GeneratedRegex(@"^(?:[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?/)?[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?\z", RegexOptions.CultureInvariant)]
    private static partial Regex IdPattern();

    [GeneratedRegex(@"^[0-9a-f]{40}\z", RegexOptions.CultureInvariant)]
    private static partial Regex CommitPattern();
}
