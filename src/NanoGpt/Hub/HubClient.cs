// The face of the Hub room: models and files from the Hub into the cache that Python shares, and back. Reads no model.

namespace NanoGpt.Hub;

/// <summary>A client of the Hugging Face Hub, with the same cache, variables and rules as Python's huggingface_hub.</summary>
/// <remarks>
/// Thread safe. Every file is checked against the Hub's hash before it gets its name; interrupted downloads are resumed;
/// processes that want the same file, Python's included, wait for each other. The token goes to the endpoint only.
/// </remarks>
public sealed class HubClient : IDisposable
{
    private readonly HubConnection _hub;

    /// <summary>Makes a client; no request is made and no folder touched yet.</summary>
    /// <param name="options">Settings; null takes all from the environment.</param>
    /// <exception cref="ArgumentException">A setting is not valid.</exception>
    /// <exception cref="HubException">The token of the environment is not usable.</exception>
    public HubClient(HubOptions? options = null) : this(options ?? new HubOptions(), new HubEnvironment())
    {
    }

    internal HubClient(HubOptions options, HubEnvironment environment) => _hub = new HubConnection(options, environment);

    /// <summary>The cache folder in use, absolute.</summary>
    public string CacheDirectory => _hub.CacheDirectory;

    /// <summary>Downloads what makes a model: configuration, weights, tokenizer, generation settings; nothing else.</summary>
    /// <param name="model">The repository, such as <c>gpt2</c> or <c>openai-community/gpt2-xl</c>.</param>
    /// <param name="revision">Branch, tag or commit; null for <see cref="HubOptions.Revision"/>.</param>
    /// <param name="progress">Told how far it is, ten times a second at most, from any thread. Not called where everything is cached.</param>
    /// <param name="cancellationToken">Stops at any moment; the next call resumes.</param>
    /// <returns>
    /// The folder of the snapshot. Its weights are <c>model.safetensors</c>, else <c>pytorch_model.bin</c>, either of them perhaps
    /// as shards with an index, else <c>ckpt.pt</c> of nanoGPT.
    /// </returns>
    /// <exception cref="ArgumentException"><paramref name="model"/> or <paramref name="revision"/> is no valid name.</exception>
    /// <exception cref="HubException">Neither the Hub nor the cache has it whole; see <see cref="HubException.Kind"/>.</exception>
    /// <exception cref="ModelFormatException">The repository's index of shards is broken.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> was cancelled.</exception>
    public Task<string> DownloadModelAsync(string model, string? revision = null,
        IProgress<HubProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        var repositories = HubRepository.ParseModel(model);
        revision = CheckedRevision(revision);
        return _hub.GuardAsync(() => new HubModelDownload(_hub, repositories, revision, progress, cancellationToken).ModelAsync());
    }

    /// <summary>Downloads one file of a model repository.</summary>
    /// <param name="model">The repository.</param>
    /// <param name="file">The file's name in it, with <c>/</c> between folders.</param>
    /// <param name="revision">Branch, tag or commit; null for <see cref="HubOptions.Revision"/>.</param>
    /// <param name="progress">Told how far it is, ten times a second at most, from any thread.</param>
    /// <param name="cancellationToken">Stops at any moment; the next call resumes.</param>
    /// <returns>The file's path in the cache. Don't write to it: other revisions may share it.</returns>
    /// <exception cref="ArgumentException"><paramref name="model"/> or <paramref name="revision"/> is no valid name.</exception>
    /// <exception cref="HubException">Neither the Hub nor the cache has it whole; see <see cref="HubException.Kind"/>.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> was cancelled.</exception>
    public Task<string> DownloadFileAsync(string model, string file, string? revision = null,
        IProgress<HubProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(file);
        var repositories = HubRepository.ParseModel(model);
        revision = CheckedRevision(revision);
        return _hub.GuardAsync(() => new HubModelDownload(_hub, repositories, revision, progress, cancellationToken).FileAsync(file));
    }

    /// <summary>Uploads the files of a folder, folders in it included, as one commit of a model repository.</summary>
    /// <param name="folder">Such as <c>GPT.SavePretrained</c> writes. Hidden files stay at home.</param>
    /// <param name="model">The repository, <c>owner/name</c>.</param>
    /// <param name="options">Settings; null for the defaults, with which a new repository is private.</param>
    /// <param name="progress">Told how far the large files are.</param>
    /// <param name="cancellationToken">Stops at any moment; nothing is committed then.</param>
    /// <returns>The commit.</returns>
    /// <exception cref="ArgumentException">The folder doesn't exist or is empty, a file is above 5 GB, or a name is not valid.</exception>
    /// <exception cref="HubException">The Hub didn't take it; see <see cref="HubException.Kind"/>.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> was cancelled.</exception>
    public Task<HubCommit> UploadFolderAsync(string folder, string model, HubUploadOptions? options = null,
        IProgress<HubProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(folder);
        if (!Directory.Exists(folder)) throw new ArgumentException($"{folder} is not a folder.", nameof(folder));
        var repository = HubRepository.Parse(model);
        if (!repository.Id.Contains('/', StringComparison.Ordinal))
            throw new ArgumentException($"{repository} doesn't say whose repository it is; expected owner/name.", nameof(model));
        options ??= new HubUploadOptions();
        HubRepository.CheckRevision(options.Branch);
        if (_hub.Offline) throw new HubException(HubErrorKind.NotCached, "The client is offline (LocalFilesOnly, HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE); nothing was uploaded.");
        return _hub.GuardAsync(() => new HubUpload(_hub, Path.GetFullPath(folder), repository, options, progress, cancellationToken).RunAsync());
    }

    /// <summary>Ends the client's connections.</summary>
    public void Dispose() => _hub.Dispose();

    private string CheckedRevision(string? revision)
    {
        revision ??= _hub.Options.Revision;
        HubRepository.CheckRevision(revision);
        return revision;
    }
}
