// Every setting of an upload with its default, and what comes of it.

namespace NanoGpt.Hub;

/// <summary>Settings of <see cref="HubClient.UploadFolderAsync"/>.</summary>
public sealed class HubUploadOptions
{
    /// <summary>The first line of the commit message.</summary>
    /// <value>Default: Upload model.</value>
    public string Message { get; init; } = "Upload model";

    /// <summary>The rest of the commit message.</summary>
    /// <value>Default: none.</value>
    public string? Description { get; init; }

    /// <summary>The branch to commit to; it must exist.</summary>
    /// <value>Default: main.</value>
    public string Branch { get; init; } = "main";

    /// <summary>Propose the change as a pull request and leave the branch as it is.</summary>
    /// <value>Default: false.</value>
    public bool CreatePullRequest { get; init; }

    /// <summary>Make the repository if it doesn't exist.</summary>
    /// <value>Default: true.</value>
    public bool CreateRepository { get; init; } = true;

    /// <summary>Whether a repository made by this upload is private; has no effect on one that exists.</summary>
    /// <value>Default: true: nothing becomes public by an oversight.</value>
    public bool Private { get; init; } = true;

    /// <summary>The commit that must be the branch's newest for the upload to be taken; null to take any.</summary>
    /// <value>Default: null.</value>
    public string? ParentCommit { get; init; }
}

/// <summary>A commit that an upload made.</summary>
/// <param name="Model">The repository's id.</param>
/// <param name="Commit">40 hexadecimal digits.</param>
/// <param name="Address">Its page on the Hub; null where the Hub named none.</param>
/// <param name="PullRequest">The pull request's page, where one was made.</param>
public sealed record HubCommit(string Model, string Commit, Uri? Address, Uri? PullRequest);
