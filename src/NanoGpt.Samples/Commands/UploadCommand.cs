// A model's folder to the Hugging Face Hub, as one commit.

using NanoGpt.Hub;
using NanoGpt.Samples.CommandLine;

namespace NanoGpt.Samples.Commands;

internal sealed record UploadOptions
{
    /// <summary>The folder: config.json, weights, tokenizer, README.md.</summary>
    [Positional]
    public string Folder { get; init; } = "";

    /// <summary>The repository, owner/name; made where it does not exist.</summary>
    [Positional]
    public string Model { get; init; } = "";

    /// <summary>The commit message.</summary>
    public string Message { get; init; } = "Upload model";

    /// <summary>Whether a new repository is private.</summary>
    public bool Private { get; init; } = true;

    /// <summary>Propose the change as a pull request.</summary>
    public bool CreatePr { get; init; }
}

internal sealed class UploadCommand : Command<UploadOptions>
{
    public override string Name => "upload";

    public override string Summary => "put a model on the Hugging Face Hub";

    public override IReadOnlyList<string> Examples => ["upload out/final me/bard", "upload out/final me/bard --private=False"];

    public override string Remarks => "HF_TOKEN must be a token with write access. Files that the Hub has already are not sent again.";

    protected override async Task RunAsync(UploadOptions options, Session session)
    {
        if (options.Folder.Length == 0 || options.Model.Length == 0)
            throw Missing("two names are needed, the folder and the repository as owner/name");

        using var hub = new HubClient();
        var upload = new HubUploadOptions { Message = options.Message, Private = options.Private, CreatePullRequest = options.CreatePr };
        HubCommit commit;
        using (var progress = new DownloadProgress(session.Status, "uploading"))
            commit = await hub.UploadFolderAsync(options.Folder, options.Model, upload, progress, session.Stop.Token);
        session.Output.Line($"{commit.PullRequest ?? commit.Address}");
    }
}
