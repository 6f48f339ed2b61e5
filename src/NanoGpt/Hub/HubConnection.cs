// The settings of a client once environment and options are put together, and the questions about files that all its work
// begins with. Writes no content.

using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace NanoGpt.Hub;

/// <summary>What the parts of a <see cref="HubClient"/> share.</summary>
/// <remarks>Thread safe.</remarks>
internal sealed class HubConnection : IDisposable
{
    private readonly bool? _useLinks;

    public HubConnection(HubOptions options, HubEnvironment environment)
    {
        CheckOptions(options);
        Options = options;
        Logger = (options.LoggerFactory ?? NullLoggerFactory.Instance).CreateLogger(HubEvents.Category);
        CacheDirectory = options.CacheDirectory is { } folder ? Path.GetFullPath(folder) : environment.CacheDirectory;
        Offline = options.LocalFilesOnly ?? environment.Offline;
        MetadataTimeout = options.MetadataTimeout ?? environment.MetadataTimeout;
        DownloadTimeout = options.DownloadTimeout ?? environment.DownloadTimeout;
        _useLinks = options.UseSymbolicLinks ?? (environment.DisableSymlinks ? false : null);
        Transport = new HubTransport(ReadEndpoint(options, environment), Offline ? null : ReadToken(options, environment), options.HttpHandler, Logger);
        if (Transport is { HasToken: true, Endpoint: { Scheme: "http", IsLoopback: false } })
            Logger.LogWarning(HubEvents.InsecureEndpoint, "{Endpoint}: the token travels unencrypted; use https", HubErrors.Show(Transport.Endpoint));
    }

    public HubOptions Options { get; }

    public ILogger Logger { get; }

    public HubTransport Transport { get; }

    /// <summary>The root of the cache, absolute.</summary>
    public string CacheDirectory { get; }

    /// <summary>Whether no request may be made.</summary>
    public bool Offline { get; }

    public TimeSpan MetadataTimeout { get; }

    public TimeSpan DownloadTimeout { get; }

    /// <summary>The cache of one repository.</summary>
    public HubCacheLayout Layout(HubRepository repository) => new(CacheDirectory, repository, _useLinks);

    /// <summary>A fresh count of tries.</summary>
    public HubRetry NewRetry(int? maxTries = null) => new(Options, Transport, Logger, maxTries ?? Options.MaxTries);

    /// <summary>Asks the Hub about a file.</summary>
    /// <param name="repository">Whose file.</param>
    /// <param name="revision">Branch, tag or commit.</param>
    /// <param name="file">A safe name.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <param name="maxTries">How often to try; by default as the options say.</param>
    /// <exception cref="HubException">The Hub can't be reached, or there is no such file.</exception>
    public Task<HubMetadata> GetMetadataAsync(
        HubRepository repository, string revision, string file, CancellationToken cancellation, int? maxTries = null)
    {
        var what = $"{repository}/{file} at {revision}";
        var path = $"{repository}/resolve/{Uri.EscapeDataString(revision)}/{string.Join('/', file.Split('/').Select(Uri.EscapeDataString))}";
        return HubRetry.RunAsync(NewRetry(maxTries), async () =>
        {
            var heads = await Transport.HeadAsync(Transport.Address(path), what, MetadataTimeout, cancellation).ConfigureAwait(false);
            var metadata = HubMetadata.From(heads, what);
            if (Shows(metadata.ETag)) throw new HubException(HubErrorKind.BadResponse, $"{what}: the answer's ETag is the token that was sent.");
            return metadata;
        }, cancellation);
    }

    /// <summary>Runs a piece of work so that whatever fails in it leaves as one of the library's exceptions, without the token.</summary>
    public async Task<T> GuardAsync<T>(Func<Task<T>> work)
    {
        try
        {
            return await work().ConfigureAwait(false);
        }
        catch (HubException e) when (Shows(e.ToString()) || Shows(e.RequestId))
        {
            // A server sent the token back to us, in a place that we quote.
            throw new HubException(e.Kind, Transport.Redact(e.Message)) { StatusCode = e.StatusCode };
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw IsDiskFull(e)
                ? new HubException(HubErrorKind.DiskFull, $"{CacheDirectory}: the disk is full ({e.Message}). Free some room, or choose another disk with HF_HUB_CACHE or HubOptions.CacheDirectory.", e)
                : new HubException(HubErrorKind.Cache, $"{CacheDirectory}: the cache can't be read or written ({e.Message}). Check its permissions, or choose another folder with HF_HUB_CACHE or HubOptions.CacheDirectory.", e);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Transport.Dispose();

    private bool Shows(string? text) => text is not null && Transport.Redact(text) != text;

    private static bool IsDiskFull(Exception e) => e.HResult is 28 or 122 or unchecked((int)0x80070070); // ENOSPC, EDQUOT, ERROR_DISK_FULL

    private static void CheckOptions(HubOptions options)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MaxParallelDownloads, 1, nameof(options.MaxParallelDownloads));
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MaxTries, 1, nameof(options.MaxTries));
        ArgumentOutOfRangeException.ThrowIfLessThan(options.RetryDelay, TimeSpan.Zero, nameof(options.RetryDelay));
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MaxRetryDelay, TimeSpan.Zero, nameof(options.MaxRetryDelay));
        HubRepository.CheckRevision(options.Revision);
        if (options.HttpHandler is SocketsHttpHandler { AllowAutoRedirect: true } or HttpClientHandler { AllowAutoRedirect: true })
            throw new ArgumentException("HttpHandler follows redirects, which would hide the Hub's answers. Set its AllowAutoRedirect to false.", nameof(options));
    }

    private static Uri ReadEndpoint(HubOptions options, HubEnvironment environment)
    {
        var given = options.Endpoint?.OriginalString ?? environment.Endpoint;
        if (Uri.TryCreate(given, UriKind.Absolute, out var endpoint) && endpoint.Scheme is "http" or "https"
            && endpoint is { UserInfo.Length: 0, Query.Length: 0, Fragment.Length: 0 })
            return endpoint;
        throw new ArgumentException(
            "The endpoint (HubOptions.Endpoint or HF_ENDPOINT) is not an http or https address without user, query and fragment, such as https://huggingface.co.", nameof(options));
    }

    private static string? ReadToken(HubOptions options, HubEnvironment environment)
    {
        var (token, source) = options.Token is { } given ? (given.Trim(), "HubOptions.Token") : environment.Token() ?? ("", "");
        if (token.Length == 0) return null;
        if (token.All(c => c is > ' ' and < '\x7f')) return token;
        throw new HubException(HubErrorKind.Unauthorized,
            $"The token from {source} contains a space, a line break or a character beyond ASCII. Copy it again from the Hub's settings.");
    }
}
