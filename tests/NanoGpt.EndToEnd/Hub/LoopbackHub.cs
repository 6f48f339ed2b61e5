// A Hugging Face Hub on this machine, as a client sees it: resolve with redirects to another host name for large files, the
// headers of the real one, access rules, rate limits, uploads, and every fault that a network or a bad server can add.

using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace NanoGpt.EndToEnd.Hub;

/// <summary>A request that the server got, and what it sent.</summary>
internal sealed record HubRequest(string Method, string Host, string Path, string? Authorization, string? Range)
{
    public int Status { get; set; }

    public long BytesSent { get; set; }

    /// <summary>What name a client called the server by.</summary>
    public bool IsCdn => Host.StartsWith("localhost", StringComparison.Ordinal);
}

/// <summary>The server. The Hub is 127.0.0.1; large files come from localhost, another host to a client.</summary>
internal sealed class LoopbackHub : IAsyncDisposable
{
    public const string Token = "hf_LoopbackSecretToken0123456789";

    private readonly WebApplication _app;
    private readonly CancellationTokenSource _stopping = new();

    private LoopbackHub(WebApplication app)
    {
        _app = app;
        _app.Run(AnswerAsync);
    }

    public Uri Address { get; private set; } = null!;

    public string CdnAddress => $"http://localhost:{Address.Port}";

    public ConcurrentDictionary<string, HubRepo> Repositories { get; } = new();

    /// <summary>LFS objects uploaded and not yet committed.</summary>
    public ConcurrentDictionary<string, HubContent> Objects { get; } = new();

    public ConcurrentQueue<HubRequest> Requests { get; } = new();

    /// <summary>What goes wrong with a request; null where nothing does. Asked once for each request for metadata or content.</summary>
    public Func<HubRequest, HubFault?>? Fault { get; set; }

    /// <summary>Commits are made, and the connection breaks before the client hears of it.</summary>
    public bool DropCommitAnswers { get; set; }

    public CancellationToken Stopping => _stopping.Token;

    public long ContentBytesSent => Requests.Where(request => request.Method == "GET").Sum(request => request.BytesSent);

    public static async Task<LoopbackHub> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Limits.MinResponseDataRate = null;
            kestrel.AllowSynchronousIO = true;
            kestrel.Listen(System.Net.IPAddress.Loopback, 0);
        });
        var hub = new LoopbackHub(builder.Build());
        await hub._app.StartAsync();
        hub.Address = new Uri(hub._app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single());
        return hub;
    }

    public HubRepo Repository(string id) => Repositories.GetOrAdd(id, id => new HubRepo(id));

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _app.StopAsync();
        await _app.DisposeAsync();
        _stopping.Dispose();
    }

    private async Task AnswerAsync(HttpContext http)
    {
        var request = new HubRequest(http.Request.Method, http.Request.Host.Value ?? "", http.Request.Path.Value ?? "",
            http.Request.Headers.Authorization.FirstOrDefault(), http.Request.Headers.Range.FirstOrDefault());
        Requests.Enqueue(request);
        http.Response.Headers["X-Request-Id"] = $"Root=1-{Requests.Count:x8}";
        try
        {
            if (request.Path.StartsWith("/cdn/", StringComparison.Ordinal)) await HubContentAnswers.CdnAsync(this, http, request);
            else if (request.Path.StartsWith("/api/", StringComparison.Ordinal) || request.Path.Contains(".git/", StringComparison.Ordinal)
                || request.Path.StartsWith("/upload/", StringComparison.Ordinal))
                await HubApiAnswers.AnswerAsync(this, http, request);
            else await HubContentAnswers.ResolveAsync(this, http, request);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or InvalidOperationException)
        {
            http.Abort(); // the client left, or the fault was to break off
        }
        finally
        {
            request.Status = http.Response.StatusCode;
        }
    }

    /// <summary>The repository, if the request may see it; else writes why not.</summary>
    public HubRepo? Open(HttpContext http, string id)
    {
        var hasToken = http.Request.Headers.Authorization == $"Bearer {Token}";
        if (!hasToken && http.Request.Headers.Authorization.Count > 0) return Refuse(http, 401, null, "Invalid credentials in Authorization header");
        if (!Repositories.TryGetValue(id, out var repository) || (repository.IsPrivate && !hasToken))
            return Refuse(http, hasToken ? 404 : 401, "RepoNotFound", hasToken ? "Repository not found" : "Invalid username or password.");
        if (repository.IsDisabled) return Refuse(http, 403, null, "Access to this resource is disabled.");
        if (repository.IsGated) return Refuse(http, hasToken ? 403 : 401, "GatedRepo", $"Access to model {id} is restricted.");
        return repository;
    }

    public static HubRepo? Refuse(HttpContext http, int status, string? code, string message)
    {
        http.Response.StatusCode = status;
        if (code is not null) http.Response.Headers["X-Error-Code"] = code;
        http.Response.Headers["X-Error-Message"] = message;
        return null;
    }

    public static string Number(long number) => number.ToString(CultureInfo.InvariantCulture);
}
