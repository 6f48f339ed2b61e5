// A whole model: which commit, whose cache folder, which files, what of them is there, and the rest in parallel. One request
// is enough where the cache has everything; none where the Hub may not be asked.

using Microsoft.Extensions.Logging;
using NanoGpt.IO;

namespace NanoGpt.Hub;

/// <summary>The download of a model, or of one file, at one revision.</summary>
internal sealed class HubModelDownload
{
    private readonly HubConnection _hub;
    private readonly string _model;
    private readonly string _revision;
    private readonly HubCacheLayout[] _candidates; // the names a model goes by; the first is the one to ask for
    private readonly IProgress<HubProgress>? _progress;
    private readonly CancellationToken _cancellation;

    private HubCacheLayout _layout;
    private string _commit = "";
    private HubException? _unreachable; // why the Hub is not asked; null while it is
    private readonly Dictionary<string, HubMetadata> _missing = new(StringComparer.Ordinal);

    public HubModelDownload(HubConnection hub, IReadOnlyList<HubRepository> repositories, string revision,
        IProgress<HubProgress>? progress, CancellationToken cancellation)
    {
        (_hub, _revision, _progress, _cancellation) = (hub, revision, progress, cancellation);
        _model = repositories[0].Id;
        _candidates = repositories.Select(hub.Layout).ToArray();
        _layout = _candidates[0];
        if (hub.Offline) _unreachable = new HubException(HubErrorKind.NotCached, "the client is offline (LocalFilesOnly, HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE).");
    }

    /// <summary>Downloads one file.</summary>
    /// <returns>Its path in the cache.</returns>
    public async Task<string> FileAsync(string file)
    {
        HubFileName.Check(file, _model);
        await ResolveAsync(file).ConfigureAwait(false);
        if (!await FindAsync(file).ConfigureAwait(false)) throw NotThere(file);
        await FetchMissingAsync().ConfigureAwait(false);
        RememberRevision();
        return _layout.Pointer(_commit, file);
    }

    /// <summary>Downloads the files of a model.</summary>
    /// <returns>The folder that shows them.</returns>
    public async Task<string> ModelAsync()
    {
        await ResolveAsync(HubModelFiles.Config).ConfigureAwait(false);
        await FindWeightsAsync().ConfigureAwait(false);
        await FindOptionalAsync().ConfigureAwait(false);
        await FetchMissingAsync().ConfigureAwait(false);
        RememberRevision();
        return _layout.Snapshot(_commit);
    }

    // From a revision to a commit, and to the cache folder that has it.
    private async Task ResolveAsync(string probe)
    {
        if (HubRepository.IsCommit(_revision)) _commit = _revision;
        else if (_unreachable is null) await AskForCommitAsync(probe).ConfigureAwait(false);

        if (_commit.Length == 0)
        {
            _commit = _candidates.Select(layout => layout.ReadRef(_revision)).FirstOrDefault(commit => commit is not null)
                ?? throw NeitherNetworkNorCache(null);
        }

        _layout = _candidates.FirstOrDefault(HasAnyWeights)
            ?? _candidates.FirstOrDefault(layout => Directory.Exists(layout.Snapshot(_commit))) ?? _candidates[0];
    }

    private async Task AskForCommitAsync(string probe)
    {
        var cached = _candidates.Any(layout => layout.ReadRef(_revision) is { } commit && Directory.Exists(layout.Snapshot(commit)));
        try
        {
            // With something to fall back on nobody wants to wait for five tries.
            var metadata = await _hub.GetMetadataAsync(_candidates[0].Repository, _revision, probe, _cancellation, cached ? 1 : null).ConfigureAwait(false);
            _commit = metadata.Commit;
            if (!_candidates.Any(layout => layout.Has(_commit, probe))) _missing[probe] = metadata;
        }
        catch (HubException e) when (e.Kind == HubErrorKind.FileNotFound && e.Commit is { } commit)
        {
            _commit = commit;
            Remember(() => _candidates[0].RememberAbsent(commit, probe));
        }
        catch (HubException e) when (e.Kind == HubErrorKind.FileNotFound && probe == HubModelFiles.Config)
        {
            await AskForCommitAsync(HubModelFiles.NanoGptCheckpoint).ConfigureAwait(false);
        }
        catch (HubException e) when (cached && e.Kind is not (HubErrorKind.FileNotFound or HubErrorKind.RevisionNotFound))
        {
            _hub.Logger.LogWarning(HubEvents.FellBackToCache, "{Model}: using the cache, as the Hub gave no answer: {Failure}", _model, _hub.Transport.Redact(e.Message));
            _unreachable = e;
        }
        catch (HubException e) when (e.Kind == HubErrorKind.Network)
        {
            _unreachable = e;
            throw NeitherNetworkNorCache(null, HubErrorKind.Network);
        }
    }

    private async Task FindWeightsAsync()
    {
        var config = await FindAsync(HubModelFiles.Config).ConfigureAwait(false);
        foreach (var (whole, index, extension) in HubModelFiles.WeightForms)
        {
            if (!config) break;
            if (await FindAsync(whole).ConfigureAwait(false)) return;
            if (!await FindAsync(index).ConfigureAwait(false)) continue;
            await FindShardsAsync(index, extension).ConfigureAwait(false);
            return;
        }

        if (await FindAsync(HubModelFiles.NanoGptCheckpoint).ConfigureAwait(false)) return;
        if (_unreachable is not null) throw NeitherNetworkNorCache(config ? HubModelFiles.Weights : HubModelFiles.Config);
        throw new HubException(HubErrorKind.UnsupportedModel,
            $"{_model} at {_revision} has no {HubModelFiles.Config} with {HubModelFiles.Weights} or {HubModelFiles.TorchWeights}, whole or in shards, and no {HubModelFiles.NanoGptCheckpoint}. Is it a GPT-2 model?");
    }

    // The index is needed to know what else is.
    private async Task FindShardsAsync(string index, string extension)
    {
        await FetchMissingAsync().ConfigureAwait(false);
        var shards = HubModelFiles.ReadShards(_layout.Pointer(_commit, index), extension, $"{_model}/{index}");
        await FindAllAsync(shards).ConfigureAwait(false);
        if (shards.FirstOrDefault(shard => !IsFound(shard)) is { } absent) throw NotThere(absent);
    }

    // Tokenizer and generation settings: a repository may lack them, and their lack must not stop or slow a cached model.
    private async Task FindOptionalAsync()
    {
        var complete = _missing.Count == 0;
        if (complete && HubRepository.IsCommit(_revision) && HasTokenizer()) return;
        int? maxTries = complete ? 1 : null;
        try
        {
            await FindAllAsync(HubModelFiles.Optional, maxTries).ConfigureAwait(false);
            foreach (var file in HubModelFiles.OtherTokenizers)
            {
                if (HasTokenizer()) break;
                await FindAsync(file, maxTries).ConfigureAwait(false);
            }
        }
        catch (HubException e) when (complete && e.Kind is HubErrorKind.Network or HubErrorKind.Server or HubErrorKind.RateLimited)
        {
            _hub.Logger.LogWarning(HubEvents.FellBackToCache, "{Model}: taking only what the cache has, as the Hub gave no answer: {Failure}", _model, _hub.Transport.Redact(e.Message));
            _missing.Clear();
        }
    }

    private bool HasTokenizer() => (IsFound(HubModelFiles.Vocabulary) && IsFound(HubModelFiles.Merges)) || HubModelFiles.OtherTokenizers.Any(IsFound);

    private bool IsFound(string file) => _missing.ContainsKey(file) || _layout.Has(_commit, file);

    /// <summary>Whether the commit has a file; if so it is in the cache, or noted down to be fetched.</summary>
    private async Task<bool> FindAsync(string file, int? maxTries = null)
    {
        if (IsFound(file)) return true;
        if (await AskAsync(file, maxTries).ConfigureAwait(false) is not { } metadata) return false;
        _missing[file] = metadata;
        return true;
    }

    // The same for files that don't depend on each other, asked for at once.
    private async Task FindAllAsync(IEnumerable<string> files, int? maxTries = null)
    {
        var asked = files.Where(file => !IsFound(file)).ToArray();
        var answers = new HubMetadata?[asked.Length];
        await Parallel.ForEachAsync(Enumerable.Range(0, asked.Length), InParallel(),
            async (i, _) => answers[i] = await AskAsync(asked[i], maxTries).ConfigureAwait(false)).ConfigureAwait(false);
        foreach (var (file, metadata) in asked.Zip(answers))
        {
            if (metadata is not null) _missing[file] = metadata;
        }
    }

    // What the Hub says of a file of the commit; null where it has none, or may not be asked.
    private async Task<HubMetadata?> AskAsync(string file, int? maxTries)
    {
        if (_unreachable is not null || _layout.IsKnownAbsent(_commit, file)) return null;
        try
        {
            var metadata = await _hub.GetMetadataAsync(_candidates[0].Repository, _commit, file, _cancellation, maxTries).ConfigureAwait(false);
            if (metadata.Commit == _commit) return metadata;
            throw new HubException(HubErrorKind.BadResponse, $"{_model}/{file}: asked for commit {_commit}, the Hub answered for {metadata.Commit}.");
        }
        catch (HubException e) when (e.Kind == HubErrorKind.FileNotFound)
        {
            if (e.IsEntryNotFound) Remember(() => _layout.RememberAbsent(_commit, file));
            return null;
        }
    }

    private async Task FetchMissingAsync()
    {
        if (_missing.Count == 0) return;
        var total = _missing.Values.Any(metadata => metadata.Size is null) ? null : _missing.Values.Sum(metadata => metadata.Size);
        var meter = new HubProgressMeter(_progress, total, _hub.Options.TimeProvider);
        await Parallel.ForEachAsync(_missing, InParallel(), async (file, cancellation) =>
            await new HubDownload(_hub, _layout, file.Key, file.Value, meter).RunAsync(cancellation).ConfigureAwait(false)).ConfigureAwait(false);
        meter.Finish(_missing.Keys.Last());
        _missing.Clear();
    }

    private ParallelOptions InParallel() => new() { MaxDegreeOfParallelism = _hub.Options.MaxParallelDownloads, CancellationToken = _cancellation };

    // Last of all: until every file of a new commit is there, the name goes on standing for the old one, which is whole.
    private void RememberRevision() => Remember(() => _layout.WriteRef(_revision, _commit));

    // Notes for the next time; a cache that can't be written serves all the same.
    private void Remember(Action write)
    {
        try
        {
            write();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _hub.Logger.LogDebug(HubEvents.CacheNotUpdated, "{Cache}: not updated: {Failure}", _hub.CacheDirectory, e.Message);
        }
    }

    private bool HasAnyWeights(HubCacheLayout layout) => HubModelFiles.AnyWeights.Any(file => layout.Has(_commit, file));

    private HubException NotThere(string file) => _unreachable is not null ? NeitherNetworkNorCache(file) : new HubException(HubErrorKind.FileNotFound,
        $"{_model} at {_revision} (commit {_commit}) has no file {UntrustedText.Quote(file)}. Check the name and the revision.");

    private HubException NeitherNetworkNorCache(string? file, HubErrorKind kind = HubErrorKind.NotCached) => new(kind,
        $"{(file is null ? _model : $"{_model}/{file}")} at {_revision} is not in the cache ({_hub.CacheDirectory}), and the Hub can't be asked: {_unreachable!.Message} "
        + "Connect once to download it, or point HF_HUB_CACHE or HubOptions.CacheDirectory at a cache that has it.", _unreachable)
    {
        StatusCode = _unreachable.StatusCode,
        RequestId = _unreachable.RequestId,
    };
}
