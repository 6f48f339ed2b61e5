// Every setting of the Hub client with its default. Where a property is null, the environment decides, by the same
// variables as in Python's huggingface_hub. A class and not a record: a record would print the token.

using Microsoft.Extensions.Logging;

namespace NanoGpt.Hub;

/// <summary>Settings of <see cref="HubClient"/>. All are optional; the environment variables of Python's client are heeded.</summary>
/// <remarks>Read once, by the constructor of <see cref="HubClient"/>.</remarks>
public sealed class HubOptions
{
    /// <summary>The Hub's address.</summary>
    /// <value>Default: HF_ENDPOINT, else https://huggingface.co.</value>
    public Uri? Endpoint { get; init; }

    /// <summary>The cache folder, shared with Python.</summary>
    /// <value>Default: HF_HUB_CACHE, else HUGGINGFACE_HUB_CACHE, else HF_HOME/hub, else ~/.cache/huggingface/hub.</value>
    public string? CacheDirectory { get; init; }

    /// <summary>The access token; sent to <see cref="Endpoint"/> only, and never logged.</summary>
    /// <value>
    /// Default: HF_TOKEN, else HUGGING_FACE_HUB_TOKEN, else the file HF_TOKEN_PATH (HF_HOME/token). An empty string sends
    /// none.
    /// </value>
    public string? Token { get; init; }

    /// <summary>The branch, tag or commit that is used where a call names none.</summary>
    /// <value>Default: main.</value>
    public string Revision { get; init; } = "main";

    /// <summary>Use the cache only; make no request.</summary>
    /// <value>Default: HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE, else false.</value>
    public bool? LocalFilesOnly { get; init; }

    /// <summary>How many files of a model are downloaded at the same time.</summary>
    /// <value>Default: 4. At least 1.</value>
    public int MaxParallelDownloads { get; init; } = 4;

    /// <summary>How long to wait for the answer to a question about a file.</summary>
    /// <value>Default: HF_HUB_ETAG_TIMEOUT, else 10 seconds.</value>
    public TimeSpan? MetadataTimeout { get; init; }

    /// <summary>How long a download may go without a byte; not a limit for the whole.</summary>
    /// <value>Default: HF_HUB_DOWNLOAD_TIMEOUT, else 10 seconds.</value>
    public TimeSpan? DownloadTimeout { get; init; }

    /// <summary>How often something is tried before it counts as failed; bytes that arrive start the count anew.</summary>
    /// <value>Default: 5. At least 1.</value>
    public int MaxTries { get; init; } = 5;

    /// <summary>The pause before the second try; it doubles with each try up to <see cref="MaxRetryDelay"/>.</summary>
    /// <value>Default: 1 second.</value>
    public TimeSpan RetryDelay { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>The longest pause between tries, a rate limit apart.</summary>
    /// <value>Default: 8 seconds.</value>
    public TimeSpan MaxRetryDelay { get; init; } = TimeSpan.FromSeconds(8);

    /// <summary>The longest time to wait because the Hub says so (429); above it the call fails at once.</summary>
    /// <value>Default: 5 minutes, the Hub's own window.</value>
    public TimeSpan MaxRateLimitWait { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Whether the cache may use symbolic links; without, a file that several revisions share is stored several times.</summary>
    /// <value>Default: true where the file system has them, unless HF_HUB_DISABLE_SYMLINKS is set.</value>
    public bool? UseSymbolicLinks { get; init; }

    /// <summary>Where to log; no file content and no token is ever written there.</summary>
    /// <value>Default: nowhere.</value>
    public ILoggerFactory? LoggerFactory { get; init; }

    /// <summary>The handler that requests go through, for a proxy of your own or a test. It must not follow redirects.</summary>
    /// <value>Default: one of our own. A given one is not disposed of.</value>
    public HttpMessageHandler? HttpHandler { get; init; }

    /// <summary>Measures waiting and rates.</summary>
    internal TimeProvider TimeProvider { get; init; } = TimeProvider.System;
}
