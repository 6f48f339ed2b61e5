// Fetches a model from the Hugging Face Hub into the cache that Python shares.

using NanoGpt.Hub;
using NanoGpt.Samples.CommandLine;

namespace NanoGpt.Samples.Commands;

internal sealed record DownloadOptions
{
    /// <summary>Hub id: gpt2, distilgpt2, organisation/name.</summary>
    [Positional]
    public string Model { get; init; } = "gpt2";

    /// <summary>Branch, tag or commit.</summary>
    public string Revision { get; init; } = "main";

    /// <summary>The cache folder, if not Python's (HF_HUB_CACHE, else HF_HOME/hub, else ~/.cache/huggingface/hub).</summary>
    public string? CacheDir { get; init; }
}

internal sealed class DownloadCommand : Command<DownloadOptions>
{
    public override string Name => "download";

    public override string Summary => "fetch a model from the Hugging Face Hub into the cache";

    public override IReadOnlyList<string> Examples => ["download gpt2", "download openai-community/gpt2-xl --revision=main"];

    public override string Remarks =>
        "Files are checked against the Hub's hashes; an interrupted download goes on where it stopped. Prints the model's folder.\n"
        + "HF_TOKEN, HF_HOME, HF_ENDPOINT and HF_HUB_OFFLINE are heeded, as in Python.";

    protected override async Task RunAsync(DownloadOptions options, Session session)
    {
        using var hub = new HubClient(new HubOptions { CacheDirectory = options.CacheDir });
        string folder;
        using (var progress = new DownloadProgress(session.Status))
            folder = await hub.DownloadModelAsync(options.Model, options.Revision, progress, session.Stop.Token);
        session.Output.Line(folder);
    }
}
