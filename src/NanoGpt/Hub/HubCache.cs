// What lies in the cache, whether it is still what it was, and how to be rid of it. Makes no request and needs no client.

namespace NanoGpt.Hub;

/// <summary>A file of a cached revision.</summary>
/// <param name="Name">Its name in the repository.</param>
/// <param name="Path">Where it is.</param>
/// <param name="SizeBytes">Its size; 0 where the content is gone.</param>
public sealed record HubCachedFile(string Name, string Path, long SizeBytes);

/// <summary>A commit of a model, as far as it is cached.</summary>
/// <param name="Commit">40 hexadecimal digits.</param>
/// <param name="Refs">The branches and tags that stood for it when last asked.</param>
/// <param name="Files">Its files.</param>
/// <param name="Path">The folder that shows them.</param>
public sealed record HubCachedRevision(string Commit, IReadOnlyList<string> Refs, IReadOnlyList<HubCachedFile> Files, string Path)
{
    /// <summary>The size of its files, those that other revisions share included.</summary>
    public long SizeBytes => Files.Sum(file => file.SizeBytes);
}

/// <summary>A model in the cache.</summary>
/// <param name="Model">The repository's id.</param>
/// <param name="Path">Its folder.</param>
/// <param name="SizeBytes">What it takes on the disk, unfinished downloads included; shared content counts once.</param>
/// <param name="UnfinishedBytes">What unfinished downloads take of it.</param>
/// <param name="Revisions">Its commits.</param>
public sealed record HubCachedModel(string Model, string Path, long SizeBytes, long UnfinishedBytes, IReadOnlyList<HubCachedRevision> Revisions);

/// <summary>What <see cref="HubCache.VerifyAsync"/> found of a file.</summary>
public enum HubFileState
{
    /// <summary>The content has the hash that it is named by.</summary>
    Whole,

    /// <summary>The content has another hash. Delete the model and download it again.</summary>
    Corrupt,

    /// <summary>The link leads to nothing.</summary>
    Missing,

    /// <summary>The link leads out of the repository's folder; nothing was read there.</summary>
    Outside,

    /// <summary>Nothing says what the hash should be: the cache was made without links, or by a server without hashes.</summary>
    Unverifiable,
}

/// <summary>A file of the cache and what became of it.</summary>
/// <param name="Model">The repository's id.</param>
/// <param name="Commit">The revision.</param>
/// <param name="File">The file.</param>
/// <param name="State">What was found.</param>
public sealed record HubVerifiedFile(string Model, string Commit, HubCachedFile File, HubFileState State);

/// <summary>The cache of the Hub's models on this machine, shared with Python.</summary>
/// <remarks>Thread safe. Reading is safe beside running downloads; deleting a model that is being downloaded makes the download fail.</remarks>
public sealed class HubCache
{
    /// <summary>Opens a cache; it need not exist.</summary>
    /// <param name="directory">Its folder; null for the one of the environment, see <see cref="HubOptions.CacheDirectory"/>.</param>
    public HubCache(string? directory = null) =>
        Directory = directory is null ? new HubEnvironment().CacheDirectory : Path.GetFullPath(directory);

    /// <summary>The folder, absolute.</summary>
    public string Directory { get; }

    /// <summary>Lists the models, by name. Folders that are no models are left out.</summary>
    /// <exception cref="HubException">The folder can't be read.</exception>
    public IReadOnlyList<HubCachedModel> Scan() => Guard(() => new DirectoryInfo(Directory) is not { Exists: true } root
        ? []
        : root.EnumerateDirectories()
            .Select(folder => (folder, repository: HubRepository.FromFolderName(folder.Name)))
            .Where(found => found.repository is not null)
            .Select(found => HubCacheScan.Model(found.repository!, found.folder))
            .OrderBy(model => model.Model, StringComparer.Ordinal)
            .ToArray());

    /// <summary>Reads every file and compares it with the hash that its content is named by.</summary>
    /// <param name="model">One model, by any of its names; null for all.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancellationToken">Stops at any moment.</param>
    /// <returns>All files, the bad ones included.</returns>
    /// <exception cref="HubException">A file can't be read.</exception>
    public async Task<IReadOnlyList<HubVerifiedFile>> VerifyAsync(string? model = null, IProgress<HubProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        var names = model is null ? null : HubRepository.ParseModel(model).Select(repository => repository.Id).ToArray();
        var models = Scan().Where(found => names is null || names.Contains(found.Model)).ToArray();
        var meter = new HubProgressMeter(progress, models.Sum(found => found.SizeBytes - found.UnfinishedBytes), TimeProvider.System);
        var known = new Dictionary<string, HubFileState>(StringComparer.Ordinal); // each blob is read once
        var verified = new List<HubVerifiedFile>();
        foreach (var found in models)
        {
            foreach (var revision in found.Revisions)
            {
                foreach (var file in revision.Files)
                {
                    var state = await StateAsync(found, file, known, meter, cancellationToken).ConfigureAwait(false);
                    verified.Add(new HubVerifiedFile(found.Model, revision.Commit, file, state));
                }
            }
        }

        return verified;
    }

    /// <summary>Deletes a model under all its names, or one revision of it.</summary>
    /// <param name="model">The repository's id.</param>
    /// <param name="revision">Branch, tag or commit; null for the whole model. Content that other revisions share stays.</param>
    /// <returns>How many bytes were freed; 0 where there was nothing.</returns>
    /// <exception cref="ArgumentException"><paramref name="model"/> or <paramref name="revision"/> is no valid name.</exception>
    /// <exception cref="HubException">Something can't be deleted.</exception>
    public long Delete(string model, string? revision = null)
    {
        if (revision is not null) HubRepository.CheckRevision(revision);
        var names = HubRepository.ParseModel(model).Select(repository => repository.Id).ToArray();
        return Guard(() => Scan().Where(found => names.Contains(found.Model)).Sum(found => HubCacheScan.Delete(found, revision)));
    }

    private async Task<HubFileState> StateAsync(
        HubCachedModel model, HubCachedFile file, Dictionary<string, HubFileState> known, HubProgressMeter meter, CancellationToken cancellation)
    {
        if (new FileInfo(file.Path).LinkTarget is not { } target) return HubFileState.Unverifiable;
        var blob = Path.GetFullPath(target, Path.GetDirectoryName(file.Path)!);
        if (Path.GetDirectoryName(blob) != Path.Combine(model.Path, "blobs")) return HubFileState.Outside;
        if (!HubCacheLayout.FileExists(blob)) return HubFileState.Missing;
        if (!HubHash.IsHash(Path.GetFileName(blob))) return HubFileState.Unverifiable;
        if (known.TryGetValue(blob, out var state)) return state;

        state = await GuardAsync(() => HashStateAsync(blob, cancellation)).ConfigureAwait(false);
        meter.Move(file.Name, file.SizeBytes);
        return known[blob] = state;
    }

    private static async Task<HubFileState> HashStateAsync(string blob, CancellationToken cancellation)
    {
        var stream = new FileStream(blob, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0, FileOptions.SequentialScan | FileOptions.Asynchronous);
        await using (stream.ConfigureAwait(false))
        {
            var etag = Path.GetFileName(blob);
            var actual = await HubHash.ComputeAsync(stream, etag, cancellation).ConfigureAwait(false);
            return string.Equals(actual, etag, StringComparison.OrdinalIgnoreCase) ? HubFileState.Whole : HubFileState.Corrupt;
        }
    }

    private T Guard<T>(Func<T> work) => GuardAsync(() => Task.FromResult(work())).GetAwaiter().GetResult();

    private async Task<T> GuardAsync<T>(Func<Task<T>> work)
    {
        try
        {
            return await work().ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new HubException(HubErrorKind.Cache, $"{Directory}: the cache can't be read or changed ({e.Message}). Check its permissions.", e);
        }
    }
}
