// Promise 17: the token goes to the Hub and nowhere else, even where a server sends it back. See FaultTests for the rest.

using NanoGpt.Hub;

namespace NanoGpt.EndToEnd.Hub;

public sealed class SecretTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_token_is_dropped_on_the_way_to_another_host()
    {
        await using var sandbox = await HubSandbox.StartAsync();
        sandbox.AddModel("me/mine").IsPrivate = true;
        using var client = sandbox.Client(token: LoopbackHub.Token);
        await client.DownloadModelAsync("me/mine", cancellationToken: Cancellation);
        Assert.All(sandbox.Hub.Requests.Where(request => !request.IsCdn), request => Assert.Equal($"Bearer {LoopbackHub.Token}", request.Authorization));
        Assert.All(sandbox.Hub.Requests.Where(request => request.IsCdn), request => Assert.Null(request.Authorization));
        Assert.Contains(sandbox.Hub.Requests, request => request.IsCdn);
    }

    [Theory]
    [InlineData("//localhost:{0}/x")]
    [InlineData("/\\localhost:{0}/x")]
    [InlineData("\\\\localhost:{0}\\x")]
    [InlineData("http://localhost:{0}/x")]
    [InlineData("HTTP://LOCALHOST:{0}/x")]
    [InlineData("http://127.0.0.1@localhost:{0}/x")]
    [InlineData("http:localhost:{0}/x")]
    [InlineData("http://127.0.0.1.localhost:{0}/x")]
    public async Task No_way_to_write_a_redirect_brings_the_token_to_another_host(string location)
    {
        await using var sandbox = await HubSandbox.StartAsync();
        sandbox.AddModel("a/b");
        sandbox.Hub.Fault = request => request.IsCdn ? null : new RedirectFault((hub, _) => string.Format(location, hub.Address.Port), 307);
        using var client = sandbox.Client(token: LoopbackHub.Token, tries: 1);
        await Assert.ThrowsAsync<HubException>(() => client.DownloadModelAsync("a/b", cancellationToken: Cancellation));
        Assert.All(sandbox.Hub.Requests, request => Assert.True(request.Authorization is null || request.Host.StartsWith("127.0.0.1:", StringComparison.Ordinal), $"the token went to {request.Host}"));
    }

    [Theory]
    [InlineData("X-Error-Message")]
    [InlineData("X-Request-Id")]
    [InlineData("X-Repo-Commit")]
    [InlineData("X-Linked-Etag")]
    [InlineData("Location")]
    public async Task A_token_that_the_server_sends_back_is_not_shown(string header)
    {
        await using var sandbox = await HubSandbox.StartAsync();
        sandbox.AddModel("a/b");
        sandbox.Hub.Fault = header is "X-Error-Message" or "X-Request-Id"
            ? _ => new StatusFault(500, header, $"bad token {LoopbackHub.Token}!")
            : _ => new HeaderFault(header, header == "Location" ? $"/{LoopbackHub.Token}" : LoopbackHub.Token);
        using var client = sandbox.Client(token: LoopbackHub.Token, tries: 2);
        var failure = await Assert.ThrowsAsync<HubException>(() => client.DownloadFileAsync("a/b", "model.safetensors", cancellationToken: Cancellation));
        Assert.DoesNotContain(LoopbackHub.Token, failure + failure.RequestId, StringComparison.Ordinal);
        Assert.DoesNotContain(LoopbackHub.Token, sandbox.Log.Text, StringComparison.Ordinal);
    }
}
