// Settings of the client that no fault brings to light: what they say is what happens.

using System.Collections.Concurrent;
using System.Net;
using NanoGpt.Hub;
using NanoGpt.Samples.Terminal;

namespace NanoGpt.EndToEnd.Hub;

public sealed class HubOptionsTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Files_of_a_revision_go_one_at_a_time_through_a_handler_of_the_caller()
    {
        await using var sandbox = await HubSandbox.StartAsync();
        var repository = sandbox.AddModel("a/b");
        repository.Refs["v1"] = repository.Head;
        repository.Add("model.safetensors", HubSandbox.Noise(200_000, 9));
        using var handler = new Counting();
        using var client = new HubClient(new HubOptions
        {
            Endpoint = sandbox.Hub.Address, CacheDirectory = sandbox.Cache, Token = "", Revision = "v1", MaxParallelDownloads = 1, HttpHandler = handler,
        });

        var reports = new ConcurrentQueue<HubProgress>();
        var folder = await client.DownloadModelAsync("a/b", progress: new Listener<HubProgress>(reports.Enqueue), cancellationToken: Cancellation);
        Assert.Equal(repository.Refs["v1"], Path.GetFileName(folder));
        Assert.Equal(sandbox.Cache, client.CacheDirectory);
        Assert.Equal(sandbox.Hub.Requests.Count, handler.Count);
        Assert.Equal(1, handler.MostAtATime);
        Assert.True(File.Exists(Path.Combine(folder, reports.Last().File)));
        Assert.True(reports.Last().BytesPerSecond > 0);
    }

    [Fact]
    public async Task A_wait_longer_than_allowed_fails_at_once()
    {
        await using var sandbox = await HubSandbox.StartAsync();
        sandbox.AddModel("a/b");
        sandbox.Hub.Fault = _ => new StatusFault(429, "RateLimit", "\"api\";r=0;t=60");
        using var client = new HubClient(new HubOptions
        {
            Endpoint = sandbox.Hub.Address, CacheDirectory = sandbox.Cache, Token = "", MaxRateLimitWait = TimeSpan.FromSeconds(1),
        });
        var refused = await Assert.ThrowsAsync<HubException>(() => client.DownloadModelAsync("a/b", cancellationToken: Cancellation));
        Assert.Equal((HubErrorKind.RateLimited, HttpStatusCode.TooManyRequests), (refused.Kind, refused.StatusCode));
        Assert.Single(sandbox.Hub.Requests);
    }

    [Fact]
    public async Task What_never_gets_better_is_told_by_its_kind()
    {
        await using var sandbox = await HubSandbox.StartAsync();
        sandbox.AddModel("a/b");
        sandbox.AddModel("a/large").Add("model.safetensors", new Promised(1L << 60));
        Assert.Equal(HubErrorKind.Server, await KindAsync("a/b", new StatusFault(503)));
        Assert.Equal(HubErrorKind.Corrupt, await KindAsync("a/b", new FlipFault(at: 0.5)));
        Assert.Equal(HubErrorKind.DiskFull, await KindAsync("a/large", fault: null));

        async Task<HubErrorKind> KindAsync(string model, HubFault? fault)
        {
            sandbox.Hub.Fault = _ => fault;
            using var client = sandbox.Client(tries: 2);
            return (await Assert.ThrowsAsync<HubException>(() => client.DownloadModelAsync(model, cancellationToken: Cancellation))).Kind;
        }
    }

    /// <summary>Content of a size that no disk has, never sent.</summary>
    private sealed class Promised(long length) : HubContent
    {
        public override long Length => length;

        public override string Sha256 { get; } = new('a', 64);

        public override string GitSha1 { get; } = new('a', 40);

        public override void Read(long offset, Span<byte> destination) => throw new InvalidOperationException("Nobody has room for this.");
    }

    private sealed class Counting() : DelegatingHandler(new SocketsHttpHandler { AllowAutoRedirect = false })
    {
        private readonly Lock _gate = new();
        private int _running;

        public int Count { get; private set; }

        public int MostAtATime { get; private set; }

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            lock (_gate) (Count, MostAtATime) = (Count + 1, Math.Max(MostAtATime, ++_running));
            try
            {
                return await base.SendAsync(request, cancellationToken);
            }
            finally
            {
                lock (_gate) _running--;
            }
        }
    }
}
