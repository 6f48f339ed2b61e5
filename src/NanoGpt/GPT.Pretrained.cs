// Models in and out: FromPretrained, SavePretrained, and the way back to nanoGPT. What a loaded model can do is GPT.cs; how
// files are found and read is Hub/ and Formats/.

using Microsoft.Extensions.Logging;
using NanoGpt.Formats;
using NanoGpt.Hub;
using NanoGpt.IO;
using NanoGpt.Native;
using NanoGpt.Tokenization;

namespace NanoGpt;

public sealed partial class GPT
{
    /// <summary>Loads a model from the Hub's cache, from the Hub, from a folder, or from a nanoGPT <c>.pt</c> file.</summary>
    /// <param name="model">
    /// A folder or file that exists; else a Hub id such as <c>gpt2</c>, <c>gpt2-medium</c> or <c>distilgpt2</c>.
    /// </param>
    /// <param name="options">Null for the defaults.</param>
    /// <exception cref="ModelFormatException">The files are not a model that this library can run exactly.</exception>
    /// <exception cref="HubException">The model is neither in the cache nor to be had from the Hub.</exception>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    public static GPT FromPretrained(string model, PretrainedOptions? options = null) =>
        Task.Run(() => FromPretrainedAsync(model, options)).GetAwaiter().GetResult();

    /// <inheritdoc cref="FromPretrained"/>
    /// <param name="model">A folder or file that exists; else a Hub id.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <param name="progress">Told of bytes while files are downloaded.</param>
    /// <param name="cancellationToken">Stops between two reads; a partial download is resumed next time.</param>
    public static async Task<GPT> FromPretrainedAsync(
        string model,
        PretrainedOptions? options = null,
        IProgress<HubProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(model);
        options ??= new PretrainedOptions();
        if (options.Dtype == Dtype.Float16 && TorchDevice.IsCpu(options.Device))
        {
            throw new ArgumentException(
                "Dtype is Float16 and Device is cpu, where half precision takes minutes a token. Use Dtype.BFloat16.", nameof(options));
        }

        var path = await LocateAsync(model, options, progress, cancellationToken).ConfigureAwait(false);
        return await LoadAsync(path, options).ConfigureAwait(false);
    }

    /// <summary>Writes a folder that this library and transformers open: config, weights, tokenizer, generation config.</summary>
    /// <param name="folder">Made where it does not exist. Each file appears whole or not at all.</param>
    /// <param name="maxShardSize">Largest weights file in bytes; above it the weights are split and an index is written.</param>
    /// <exception cref="CheckpointException">The folder cannot be written; what was there is still there.</exception>
    public void SavePretrained(string folder, long maxShardSize = 5_000_000_000)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            using var view = ViewOfNetwork();
            ModelFolder.Save(folder, Config, view ?? _weights!, maxShardSize, beside => _tokenizer?.Save(beside));
        }
    }

    /// <summary>Writes nanoGPT's <c>ckpt.pt</c>: its sample.py samples from it, its train.py resumes from it with a fresh optimizer.</summary>
    /// <param name="folder">nanoGPT's <c>out_dir</c>, made where it does not exist. The vocabulary is written beside the checkpoint.</param>
    /// <returns>How nanoGPT will differ, for a user to read; null where it computes the same.</returns>
    /// <exception cref="ArgumentException">nanoGPT cannot compute this model; the message says why.</exception>
    /// <exception cref="CheckpointException">The checkpoint cannot be written; what was there is still there.</exception>
    public string? SaveNanoGpt(string folder)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            using var view = ViewOfNetwork();
            return NanoGptExport.Save(folder, Config, view ?? _weights!, beside => _tokenizer?.Save(beside));
        }
    }

    /// <summary>The weights of the network; null while they are as loaded.</summary>
    private GPTWeights? ViewOfNetwork() => _weights is null ? TorchWeights.View(_network ??= CreateNetwork()) : null;

    private static async Task<string> LocateAsync(
        string model, PretrainedOptions options, IProgress<HubProgress>? progress, CancellationToken cancellationToken)
    {
        if (Directory.Exists(model) || File.Exists(model)) return model;
        using var hub = new HubClient(new HubOptions
        {
            Endpoint = options.Endpoint,
            CacheDirectory = options.CacheDirectory,
            Token = options.Token,
            LocalFilesOnly = options.LocalFilesOnly ? true : null, // null: as HF_HUB_OFFLINE says
            LoggerFactory = options.LoggerFactory,
        });
        try
        {
            return await hub.DownloadModelAsync(model, options.Revision, progress, cancellationToken).ConfigureAwait(false);
        }
        catch (HubException e) when (e.Kind is HubErrorKind.RepositoryNotFound or HubErrorKind.Network or HubErrorKind.NotCached)
        {
            throw new HubException(e.Kind, $"'{model}' is no file or folder here, so it was looked for on the Hub. {e.Message}", e)
            {
                StatusCode = e.StatusCode, RequestId = e.RequestId,
            };
        }
    }

    // The vocabulary is read beside the weights: in a new process each takes about a tenth of a second, mostly compiling.
    private static async Task<GPT> LoadAsync(string path, PretrainedOptions options)
    {
        if (Directory.Exists(path)) ModelFolder.Recover(path); // before two read it
        var folder = Directory.Exists(path) ? path : Path.GetDirectoryName(Path.GetFullPath(path))!;
        var vocabulary = Task.Run(() => Tokenizer.LoadOrGpt2(folder));
        GPTWeights? weights = null;
        try
        {
            weights = OpenWeights(path, options);
            var config = weights.Config;
            if (options.Dropout is { } dropout)
                config = config with { EmbeddingDropout = dropout, AttentionDropout = dropout, ResidualDropout = dropout };
            config.Validate();

            var tokenizer = Fitting(await vocabulary.ConfigureAwait(false), config, folder);
            var gpt = new GPT(config, tokenizer, options) { _weights = weights };
            if (weights.Ignored.Count > 0) gpt._log.LogWarning("{Path}: passed over {Tensors}", path, UntrustedText.List(weights.Ignored));
            return gpt;
        }
        catch
        {
            // Whatever else was wrong with the vocabulary, the first fault is told, and nobody reads the folder any more.
            await ((Task)vocabulary).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            weights?.Dispose();
            throw;
        }
    }

    private static GPTWeights OpenWeights(string path, PretrainedOptions options)
    {
        var weights = ModelFolder.Open(path, options.IgnoreUnexpected);
        if (options.BlockSize is not { } blockSize) return weights;
        if (blockSize >= 1 && blockSize <= weights.Config.BlockSize) return weights.CropBlockSize(blockSize);
        weights.Dispose();
        throw new ArgumentException(
            $"BlockSize is {blockSize}; '{path}' has positions for 1 to {weights.Config.BlockSize} tokens.", nameof(options));
    }

    /// <summary>The vocabulary, if it is the model's; null where the folder has none and GPT-2's is of another size.</summary>
    private static Tokenizer? Fitting(Tokenizer tokenizer, GPTConfig config, string folder)
    {
        if (ReferenceEquals(tokenizer, Tokenizer.Gpt2)) return TokenizerFolder.IsGpt2Size(config.VocabSize) ? tokenizer : null;
        if (tokenizer.VocabSize <= config.VocabSize) return tokenizer;
        throw new ModelFormatException(
            $"{folder}: the vocabulary has {tokenizer.VocabSize} ids and the model only {config.VocabSize} embeddings. "
            + "Is the vocabulary that of another model?");
    }
}
