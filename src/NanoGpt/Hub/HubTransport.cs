// One request to the Hub and what may come of it. The token goes to the Hub's own address and nowhere else; every failure
// leaves as a HubException that says whether trying again makes sense. Knows nothing of files and caches.

using System.Net;
using System.Net.Http.Headers;
using Microsoft.Extensions.Logging;

namespace NanoGpt.Hub;

/// <summary>Sends requests.</summary>
internal sealed class HubTransport : IDisposable
{
    private const int MaxRedirects = 10;
    private static readonly ProductInfoHeaderValue[] UserAgent =
    [
        new("NanoGpt", typeof(HubTransport).Assembly.GetName().Version?.ToString(3)),
        new("dotnet", Environment.Version.ToString()),
    ];

    private readonly HttpClient _http;
    private readonly AuthenticationHeaderValue? _authorization;
    private readonly HubErrors _errors;
    private readonly ILogger _logger;

    public HubTransport(Uri endpoint, string? token, HttpMessageHandler? handler, ILogger logger)
    {
        Endpoint = endpoint;
        _logger = logger;
        _errors = new HubErrors(token);
        _authorization = token is null ? null : new AuthenticationHeaderValue("Bearer", token);
        _http = new HttpClient(handler ?? OwnHandler(), disposeHandler: handler is null) { Timeout = Timeout.InfiniteTimeSpan };
    }

    /// <summary>The Hub's address, without a slash at its end.</summary>
    public Uri Endpoint { get; }

    /// <summary>Whether requests bear a token.</summary>
    public bool HasToken => _authorization is not null;

    /// <summary>The address of <paramref name="path"/> on the Hub; the path is escaped already.</summary>
    public Uri Address(string path) => new($"{Endpoint.AbsoluteUri.TrimEnd('/')}/{path}");

    /// <summary>Sends one request, without following redirects, and returns whatever the server answers.</summary>
    /// <param name="request">Gets the token where it goes to the Hub.</param>
    /// <param name="timeout">For the answer's head.</param>
    /// <param name="cancellation">The caller's wish.</param>
    /// <exception cref="HubException">No answer came.</exception>
    public async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, TimeSpan timeout, CancellationToken cancellation)
    {
        var uri = request.RequestUri!;
        if (IsHub(uri)) request.Headers.Authorization = _authorization;
        foreach (var product in UserAgent) request.Headers.UserAgent.Add(product);

        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        deadline.CancelAfter(timeout);
        if (request.Content is HubFileContent file) file.KeepAlive = () => deadline.CancelAfter(timeout);
        try
        {
            var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, deadline.Token).ConfigureAwait(false);
            if (_logger.IsEnabled(LogLevel.Debug))
                _logger.LogDebug(HubEvents.Request, "{Method} {Address}: {Status}", request.Method, Redact(HubErrors.Show(uri)), (int)response.StatusCode);
            return response;
        }
        catch (Exception e) when (HubErrors.IsConnectionFailure(e) && !cancellation.IsCancellationRequested)
        {
            throw HubErrors.NoAnswer(uri, timeout, e);
        }
        finally
        {
            if (request.Content is HubFileContent sent) sent.KeepAlive = null;
        }
    }

    /// <summary>GET, following redirects to wherever they lead; the token is dropped on the way.</summary>
    /// <exception cref="HubException">No answer came, or it is not a success.</exception>
    public async Task<HttpResponseMessage> GetAsync(Uri uri, RangeHeaderValue? range, string what, TimeSpan timeout, CancellationToken cancellation)
    {
        for (var hops = 0; hops <= MaxRedirects; hops++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, uri);
            request.Headers.AcceptEncoding.Add(new StringWithQualityHeaderValue("identity"));
            request.Headers.Range = range;
            var response = await SendAsync(request, timeout, cancellation).ConfigureAwait(false);
            if (!IsRedirect(response.StatusCode))
            {
                if (response.IsSuccessStatusCode) return response;
                using (response) throw _errors.From(response, what, HasToken, IsHub(uri));
            }

            using (response) uri = RedirectTarget(response, uri, what);
        }

        throw new HubException(HubErrorKind.BadResponse, $"{what}: the server redirected more than {MaxRedirects} times, last to {HubErrors.Show(uri)}.");
    }

    /// <summary>HEAD, following redirects only inside the Hub: the last one, to the content, is the answer.</summary>
    /// <returns>The last response, and the addresses and headers seen on the way, the last first.</returns>
    /// <exception cref="HubException">No answer came, or it is neither success nor redirect.</exception>
    public async Task<IReadOnlyList<HubHead>> HeadAsync(Uri uri, string what, TimeSpan timeout, CancellationToken cancellation)
    {
        var heads = new List<HubHead>();
        for (var hops = 0; hops <= MaxRedirects; hops++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Head, uri);
            request.Headers.AcceptEncoding.Add(new StringWithQualityHeaderValue("identity"));
            using var response = await SendAsync(request, timeout, cancellation).ConfigureAwait(false);
            var redirect = IsRedirect(response.StatusCode);
            if (!redirect && !response.IsSuccessStatusCode) throw _errors.From(response, what, HasToken, isHub: true);

            var next = redirect ? RedirectTarget(response, uri, what) : null;
            heads.Insert(0, new HubHead(response, next ?? uri, redirect));
            if (next is null || !(IsRelative(response) || (IsHub(next) && heads[0].Commit is null))) return heads;
            uri = next;
        }

        throw new HubException(HubErrorKind.BadResponse, $"{what}: the Hub redirected more than {MaxRedirects} times, last to {HubErrors.Show(uri)}.");
    }

    /// <summary>Sends a request that changes something, or asks with a body, and returns the successful answer.</summary>
    public async Task<HttpResponseMessage> SendCheckedAsync(HttpRequestMessage request, string what, TimeSpan timeout, CancellationToken cancellation)
    {
        var isHub = IsHub(request.RequestUri!);
        var response = await SendAsync(request, timeout, cancellation).ConfigureAwait(false);
        if (response.IsSuccessStatusCode) return response;
        using (response) throw _errors.From(response, what, HasToken, isHub);
    }

    /// <summary>A text without the token in it, should a server have sent it back to us.</summary>
    public string Redact(string text) => _errors.Redact(text);

    /// <summary>Whether the token may be sent to <paramref name="uri"/>: same scheme, host and port as the endpoint.</summary>
    public bool IsHub(Uri uri) =>
        Uri.Compare(uri, Endpoint, UriComponents.SchemeAndServer, UriFormat.Unescaped, StringComparison.OrdinalIgnoreCase) == 0;

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    private static SocketsHttpHandler OwnHandler() => new()
    {
        AllowAutoRedirect = false, // ours to follow: the token must not go along
        AutomaticDecompression = DecompressionMethods.None, // sizes and ranges count bytes of the file
        UseCookies = false,
        ConnectTimeout = TimeSpan.FromSeconds(10),
        PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        MaxResponseHeadersLength = 64,
    };

    private static bool IsRedirect(HttpStatusCode status) => (int)status is 301 or 302 or 303 or 307 or 308;

    // The raw header: Uri takes '/path' for a file on Unix, and '//host/path' names another host.
    private static string? Location(HttpResponseMessage response) =>
        response.Headers.NonValidated.TryGetValues("Location", out var values) ? values.ToString() : null;

    private static bool IsRelative(HttpResponseMessage response) =>
        Location(response) is { } location && location.StartsWith('/') && !location.StartsWith("//", StringComparison.Ordinal)
        && !location.StartsWith("/\\", StringComparison.Ordinal);

    private static Uri RedirectTarget(HttpResponseMessage response, Uri from, string what)
    {
        var location = Location(response);
        if (location is null || !Uri.TryCreate(from, location, out var target) || target.Scheme is not ("http" or "https"))
            throw new HubException(HubErrorKind.BadResponse, $"{what}: {HubErrors.Show(from)} redirects ({(int)response.StatusCode}) without a usable Location.")
            {
                StatusCode = response.StatusCode,
                RequestId = HubErrors.RequestId(response),
            };
        if (from.Scheme == "https" && target.Scheme != "https")
            throw new HubException(HubErrorKind.BadResponse, $"{what}: {HubErrors.Show(from)} redirects from https to http; not followed.");
        return target;
    }
}
