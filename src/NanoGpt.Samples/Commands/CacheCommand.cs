// What the Hub's cache holds, which Python shares: list it, check it against its hashes, delete a model from it.

using NanoGpt.Hub;
using NanoGpt.Samples.CommandLine;
using NanoGpt.Samples.Terminal;

namespace NanoGpt.Samples.Commands;

internal enum CacheAction
{
    List,
    Verify,
    Delete,
}

internal sealed record CacheOptions
{
    /// <summary>list, verify or delete.</summary>
    [Positional]
    public CacheAction Action { get; init; }

    /// <summary>Hub id: all models if left out, which delete does not accept.</summary>
    public string? Model { get; init; }

    /// <summary>The cache folder, if not Python's (HF_HUB_CACHE, else HF_HOME/hub, else ~/.cache/huggingface/hub).</summary>
    public string? CacheDir { get; init; }
}

internal sealed class CacheCommand : Command<CacheOptions>
{
    public override string Name => "cache";

    public override string Summary => "list, verify or delete what was downloaded";

    public override IReadOnlyList<string> Examples => ["cache list", "cache verify --model=gpt2", "cache delete --model=gpt2"];

    protected override Task RunAsync(CacheOptions options, Session session)
    {
        var cache = new HubCache(options.CacheDir);
        return options.Action switch
        {
            CacheAction.Verify => VerifyAsync(cache, options, session),
            CacheAction.Delete => Delete(cache, options, session.Output),
            _ => List(cache, options, session.Output),
        };
    }

    private static Task List(HubCache cache, CacheOptions options, Screen screen)
    {
        var models = cache.Scan().Where(model => options.Model is null || model.Model == options.Model || model.Model.EndsWith("/" + options.Model, StringComparison.Ordinal)).ToList();
        foreach (var model in models)
        {
            screen.Line($"{Figures.Bytes(model.SizeBytes),10}  {model.Model}");
            foreach (var revision in model.Revisions)
                screen.Line($"            {revision.Commit[..Math.Min(12, revision.Commit.Length)]} {string.Join(", ", revision.Refs)}  {revision.Files.Count} files, {Figures.Bytes(revision.SizeBytes)}");
            if (model.UnfinishedBytes > 0) screen.Line($"            unfinished downloads: {Figures.Bytes(model.UnfinishedBytes)}");
        }

        screen.Line($"{Figures.Bytes(models.Sum(model => model.SizeBytes)),10}  in {models.Count} model{(models.Count == 1 ? "" : "s")}, {cache.Directory}");
        return Task.CompletedTask;
    }

    private static async Task VerifyAsync(HubCache cache, CacheOptions options, Session session)
    {
        IReadOnlyList<HubVerifiedFile> files;
        using (var progress = new DownloadProgress(session.Status))
            files = await cache.VerifyAsync(options.Model, progress, session.Stop.Token);
        if (files.Count == 0 && options.Model is not null) throw NotCached(cache, options.Model);
        foreach (var file in files.Where(file => file.State != HubFileState.Whole))
            session.Output.Line($"{file.State}: {file.Model} {file.File.Name} ({file.File.Path})");
        var bad = files.Count(file => file.State is not (HubFileState.Whole or HubFileState.Unverifiable));
        session.Output.Line($"{files.Count} files checked, {bad} not as they should be");
        if (bad > 0) throw new UsageException("Delete those models (cache delete --model=...) and download them again.");
    }

    private Task Delete(HubCache cache, CacheOptions options, Screen screen)
    {
        var model = options.Model ?? throw Missing("which model?", example: 2);
        var freed = cache.Delete(model);
        if (freed == 0) throw NotCached(cache, model);
        screen.Line($"{model}: {Figures.Bytes(freed)} freed");
        return Task.CompletedTask;
    }

    private static UsageException NotCached(HubCache cache, string model) =>
        new($"{model} is not in the cache ({cache.Directory}); nanogpt cache list shows what is.");
}
