// What a user of the client sees while nothing is wrong, and what each refusal of the Hub becomes.

using NanoGpt.Hub;

namespace NanoGpt.EndToEnd.Hub;

public sealed class DownloadTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_model_is_its_configuration_weights_and_tokenizer_and_nothing_else(bool links)
    {
        await using var sandbox = await HubSandbox.StartAsync();
        var repository = sandbox.AddModel();
        using var client = sandbox.Client(links: links);
        var folder = await client.DownloadModelAsync("gpt2", cancellationToken: Cancellation);
        Assert.Equal(Path.Combine(sandbox.Cache, "models--openai-community--gpt2", "snapshots", repository.Head), folder);
        Assert.Equal(["config.json", "generation_config.json", "merges.txt", "model.safetensors", "vocab.json"],
            Directory.GetFiles(folder).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Equal(links ? 10 : 5, sandbox.CheckCache());
        Assert.Equal(repository.Head, File.ReadAllText(Path.Combine(folder, "..", "..", "refs", "main")));
        Assert.True(File.Exists(Path.Combine(sandbox.Cache, "CACHEDIR.TAG")));
    }

    [Fact]
    public async Task The_second_time_one_question_is_asked_and_offline_none()
    {
        await using var sandbox = await HubSandbox.StartAsync();
        sandbox.AddModel();
        using var client = sandbox.Client();
        var folder = await client.DownloadModelAsync("openai-community/gpt2", cancellationToken: Cancellation);
        sandbox.Hub.Requests.Clear();
        Assert.Equal(folder, await client.DownloadModelAsync("gpt2", cancellationToken: Cancellation));
        Assert.Equal("HEAD", Assert.Single(sandbox.Hub.Requests).Method);

        sandbox.Hub.Requests.Clear();
        using var offline = sandbox.Client(offline: true);
        Assert.Equal(folder, await offline.DownloadModelAsync("gpt2", cancellationToken: Cancellation));
        Assert.Equal(folder, await client.DownloadModelAsync("gpt2", Path.GetFileName(folder), cancellationToken: Cancellation));
        Assert.Empty(sandbox.Hub.Requests);
    }

    [Fact]
    public async Task A_hub_that_is_down_leaves_the_cache_to_work_with()
    {
        await using var sandbox = await HubSandbox.StartAsync();
        sandbox.AddModel();
        using (var client = sandbox.Client()) await client.DownloadModelAsync("gpt2", cancellationToken: Cancellation);
        sandbox.Hub.Fault = _ => new StatusFault(503);
        using var again = sandbox.Client();
        Assert.NotNull(await again.DownloadModelAsync("gpt2", cancellationToken: Cancellation));
        Assert.Contains("FellBackToCache", sandbox.Log.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_network_and_without_cache_the_error_says_both()
    {
        await using var sandbox = await HubSandbox.StartAsync();
        using var client = sandbox.Client(offline: true);
        var missing = await Assert.ThrowsAsync<HubException>(() => client.DownloadModelAsync("gpt2", cancellationToken: Cancellation));
        Assert.Equal(HubErrorKind.NotCached, missing.Kind);
        Assert.Contains(sandbox.Cache, missing.Message, StringComparison.Ordinal);
        Assert.Empty(sandbox.Hub.Requests);
    }

    [Fact]
    public async Task A_cache_under_the_old_name_is_used()
    {
        await using var sandbox = await HubSandbox.StartAsync();
        var repository = sandbox.AddModel();
        using (var client = sandbox.Client()) await client.DownloadModelAsync("gpt2", cancellationToken: Cancellation);
        Directory.Move(Path.Combine(sandbox.Cache, "models--openai-community--gpt2"), Path.Combine(sandbox.Cache, "models--gpt2"));
        sandbox.Hub.Requests.Clear();

        using var offline = sandbox.Client(offline: true);
        var folder = await offline.DownloadModelAsync("openai-community/gpt2", cancellationToken: Cancellation);
        Assert.Equal(Path.Combine(sandbox.Cache, "models--gpt2", "snapshots", repository.Head), folder);
        using var online = sandbox.Client();
        Assert.Equal(folder, await online.DownloadModelAsync("gpt2", cancellationToken: Cancellation));
        Assert.Equal(0, sandbox.Hub.ContentBytesSent);
    }

    [Fact]
    public async Task Shards_are_downloaded_in_parallel_with_one_report()
    {
        await using var sandbox = await HubSandbox.StartAsync();
        var repository = sandbox.Hub.Repository("a/b").Add("config.json", "{}");
        repository.Add("model.safetensors.index.json", """{"weight_map":{"x":"m-1-of-3.safetensors","y":"m-2-of-3.safetensors","z":"m-3-of-3.safetensors"}}""");
        for (var i = 1; i <= 3; i++) repository.Add($"m-{i}-of-3.safetensors", HubSandbox.Noise(1_000_000, i));
        var reports = new List<HubProgress>();
        using var client = sandbox.Client();
        var folder = await client.DownloadModelAsync("a/b", progress: new Reports(reports), cancellationToken: Cancellation);
        Assert.Equal(5, Directory.GetFiles(folder).Length);
        sandbox.CheckCache();
        Assert.Equal(3_000_000, reports[^1].BytesDone);
        Assert.Equal(3_000_000, reports[^1].BytesTotal);
    }

    [Fact]
    public async Task A_nanoGPT_checkpoint_is_a_model_too()
    {
        await using var sandbox = await HubSandbox.StartAsync();
        sandbox.Hub.Repository("VatsaDev/ChatGpt-nano").Add("README.md", "chat").Add("ckpt.pt", HubSandbox.Noise(5000, 1));
        using var client = sandbox.Client();
        var folder = await client.DownloadModelAsync("VatsaDev/ChatGpt-nano", cancellationToken: Cancellation);
        Assert.Equal("ckpt.pt", Path.GetFileName(Assert.Single(Directory.GetFiles(folder))));
        using var offline = sandbox.Client(offline: true);
        Assert.Equal(folder, await offline.DownloadModelAsync("VatsaDev/ChatGpt-nano", cancellationToken: Cancellation));
    }

    [Fact]
    public async Task Weights_of_torch_save_are_taken_where_there_are_no_safetensors_whole_or_in_shards()
    {
        await using var sandbox = await HubSandbox.StartAsync();
        sandbox.Hub.Repository("a/whole").Add("config.json", "{}").Add("pytorch_model.bin", HubSandbox.Noise(5000, 1)).Add("ckpt.pt", HubSandbox.Noise(9, 2));
        sandbox.Hub.Repository("a/shards").Add("config.json", "{}").Add("p-1.bin", HubSandbox.Noise(500, 1)).Add("p-2.bin", HubSandbox.Noise(500, 2))
            .Add("pytorch_model.bin.index.json", """{"weight_map":{"x":"p-1.bin","y":"p-2.bin"}}""");
        sandbox.Hub.Repository("a/both").Add("config.json", "{}").Add("pytorch_model.bin", HubSandbox.Noise(500, 3)).Add("model.safetensors", HubSandbox.Noise(500, 4));
        using var client = sandbox.Client();
        await MustHave("a/whole", "config.json", "pytorch_model.bin");
        await MustHave("a/shards", "config.json", "p-1.bin", "p-2.bin", "pytorch_model.bin.index.json");
        await MustHave("a/both", "config.json", "model.safetensors");

        async Task MustHave(string model, params string[] files)
        {
            var folder = await client.DownloadModelAsync(model, cancellationToken: Cancellation);
            Assert.Equal(files, Directory.GetFiles(folder).Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal));
            using var offline = sandbox.Client(offline: true);
            Assert.Equal(folder, await offline.DownloadModelAsync(model, cancellationToken: Cancellation));
        }
    }

    [Fact]
    public async Task A_repository_without_weights_in_a_known_form_is_refused_and_nothing_of_it_kept()
    {
        await using var sandbox = await HubSandbox.StartAsync();
        sandbox.Hub.Repository("a/b").Add("config.json", "{}").Add("tf_model.h5", HubSandbox.Noise(5000, 1));
        using var client = sandbox.Client();
        var refused = await Assert.ThrowsAsync<HubException>(() => client.DownloadModelAsync("a/b", cancellationToken: Cancellation));
        Assert.Equal(HubErrorKind.UnsupportedModel, refused.Kind);
        Assert.Contains("pytorch_model.bin", refused.Message, StringComparison.Ordinal);
        Assert.Equal(0, sandbox.Hub.ContentBytesSent);
    }

    [Fact]
    public async Task A_new_commit_takes_over_only_when_it_is_whole()
    {
        await using var sandbox = await HubSandbox.StartAsync();
        var repository = sandbox.AddModel();
        using var client = sandbox.Client(tries: 1);
        var first = await client.DownloadModelAsync("gpt2", cancellationToken: Cancellation);
        repository.Add("model.safetensors", HubSandbox.Noise(400_000, 9));

        sandbox.Hub.Fault = request => request.IsCdn ? new DropFault(0.5) : null;
        await Assert.ThrowsAsync<HubException>(() => client.DownloadModelAsync("gpt2", cancellationToken: Cancellation));
        using var offline = sandbox.Client(offline: true);
        Assert.Equal(first, await offline.DownloadModelAsync("gpt2", cancellationToken: Cancellation));

        sandbox.Hub.Fault = null;
        var second = await client.DownloadModelAsync("gpt2", cancellationToken: Cancellation);
        Assert.NotEqual(first, second);
        Assert.Equal(second, await offline.DownloadModelAsync("gpt2", cancellationToken: Cancellation));
        Assert.Equal(Directory.GetFiles(first).Length, Directory.GetFiles(second).Length);
    }

    [Fact]
    public async Task Branches_pull_requests_and_tags_are_revisions()
    {
        await using var sandbox = await HubSandbox.StartAsync();
        sandbox.Hub.Repository("a/b").Add("config.json", "main").Add("config.json", "pr", branch: "refs/pr/1");
        using var client = sandbox.Client();
        Assert.Equal("pr", File.ReadAllText(await client.DownloadFileAsync("a/b", "config.json", "refs/pr/1", cancellationToken: Cancellation)));
        Assert.Equal("main", File.ReadAllText(await client.DownloadFileAsync("a/b", "config.json", cancellationToken: Cancellation)));
    }

    [Fact]
    public async Task A_renamed_repository_is_followed_and_keeps_the_name_it_was_asked_by()
    {
        await using var sandbox = await HubSandbox.StartAsync();
        sandbox.AddModel("new/name");
        sandbox.Hub.Repository("old/name").RenamedTo = "new/name";
        using var client = sandbox.Client(token: LoopbackHub.Token);
        var folder = await client.DownloadModelAsync("old/name", cancellationToken: Cancellation);
        Assert.Contains("models--old--name", folder, StringComparison.Ordinal);
        Assert.Equal(10, sandbox.CheckCache());
    }

    [Fact]
    public async Task A_private_repository_opens_to_its_token_only()
    {
        await using var sandbox = await HubSandbox.StartAsync();
        sandbox.AddModel("me/mine").IsPrivate = true;
        using var stranger = sandbox.Client();
        var refused = await Assert.ThrowsAsync<HubException>(() => stranger.DownloadModelAsync("me/mine", cancellationToken: Cancellation));
        Assert.Equal(HubErrorKind.RepositoryNotFound, refused.Kind);
        Assert.Contains("doesn't exist, or it is private", refused.Message, StringComparison.Ordinal);
        Assert.NotNull(refused.RequestId);

        using var expired = sandbox.Client(token: "hf_expired");
        Assert.Equal(HubErrorKind.Unauthorized, (await Assert.ThrowsAsync<HubException>(() => expired.DownloadModelAsync("me/mine", cancellationToken: Cancellation))).Kind);

        using var owner = sandbox.Client(token: LoopbackHub.Token);
        Assert.Equal(5, Directory.GetFiles(await owner.DownloadModelAsync("me/mine", cancellationToken: Cancellation)).Length);
    }

    [Fact]
    public async Task Each_refusal_has_its_kind_and_is_not_repeated()
    {
        await using var sandbox = await HubSandbox.StartAsync();
        sandbox.AddModel("a/gated").IsGated = true;
        sandbox.AddModel("a/disabled").IsDisabled = true;
        sandbox.AddModel("a/b");
        await Refused("a/gated", null, HubErrorKind.Gated);
        await Refused("a/disabled", null, HubErrorKind.Disabled);
        await Refused("a/none", null, HubErrorKind.RepositoryNotFound);
        await Refused("a/b", "no-such-branch", HubErrorKind.RevisionNotFound);
        using var client = sandbox.Client();
        Assert.Equal(HubErrorKind.FileNotFound, (await Assert.ThrowsAsync<HubException>(() => client.DownloadFileAsync("a/b", "none.txt", cancellationToken: Cancellation))).Kind);
        Assert.Equal(HubErrorKind.UnsafeName, (await Assert.ThrowsAsync<HubException>(() => client.DownloadFileAsync("a/b", "../x", cancellationToken: Cancellation))).Kind);

        async Task Refused(string model, string? revision, HubErrorKind kind)
        {
            sandbox.Hub.Requests.Clear();
            using var client = sandbox.Client(token: LoopbackHub.Token);
            var refused = await Assert.ThrowsAsync<HubException>(() => client.DownloadModelAsync(model, revision, cancellationToken: Cancellation));
            Assert.Equal(kind, refused.Kind);
            Assert.Single(sandbox.Hub.Requests);
        }
    }

    [Fact]
    public async Task A_rate_limit_is_waited_for_unless_it_is_long()
    {
        await using var sandbox = await HubSandbox.StartAsync();
        sandbox.AddModel();
        var left = 3;
        sandbox.Hub.Fault = _ => left-- > 0 ? new StatusFault(429, "RateLimit", "\"api\";r=0;t=0") : null;
        using var client = sandbox.Client();
        await client.DownloadModelAsync("gpt2", cancellationToken: Cancellation);

        sandbox.Hub.Fault = _ => new StatusFault(429, "Retry-After", "86400");
        sandbox.Hub.Requests.Clear();
        using var elsewhere = sandbox.Client(cache: Path.Combine(sandbox.Root, "other"));
        var refused = await Assert.ThrowsAsync<HubException>(() => elsewhere.DownloadModelAsync("gpt2", cancellationToken: Cancellation));
        Assert.Equal(HubErrorKind.RateLimited, refused.Kind);
        Assert.Single(sandbox.Hub.Requests);
    }

    [Fact]
    public async Task A_signed_address_that_expired_is_asked_for_again()
    {
        await using var sandbox = await HubSandbox.StartAsync();
        sandbox.AddModel();
        var gets = 0;
        sandbox.Hub.Fault = request => !request.IsCdn ? null : gets++ switch { 0 => new TruncateFault(0.5), 1 => new StatusFault(403), _ => null };
        using var client = sandbox.Client();
        await client.DownloadModelAsync("gpt2", cancellationToken: Cancellation);
        Assert.Equal(10, sandbox.CheckCache());
        var requests = sandbox.Hub.Requests.Where(request => request.Path.EndsWith("model.safetensors", StringComparison.Ordinal)).ToList();
        Assert.Equal(["HEAD", "GET", "GET", "HEAD", "GET"], requests.Select(request => request.Method));
        Assert.Equal("bytes=150000-", requests[^1].Range);
    }

    [Fact]
    public async Task Content_that_changes_under_a_commit_is_not_mixed()
    {
        await using var sandbox = await HubSandbox.StartAsync();
        sandbox.AddModel();
        var (gets, heads) = (0, 0);
        sandbox.Hub.Fault = request => !request.Path.EndsWith("model.safetensors", StringComparison.Ordinal) ? null
            : request.Method == "HEAD" ? (heads++ == 0 ? null : new HeaderFault("X-Linked-Etag", $"\"{new string('a', 64)}\""))
            : gets++ == 0 ? new TruncateFault(0.5) : new StatusFault(403);
        using var client = sandbox.Client();
        var refused = await Assert.ThrowsAsync<HubException>(() => client.DownloadModelAsync("gpt2", cancellationToken: Cancellation));
        Assert.Equal(HubErrorKind.BadResponse, refused.Kind);
        Assert.Contains("ETag changed", refused.Message, StringComparison.Ordinal);
        sandbox.CheckCache();
    }

    [Fact]
    public async Task A_cancelled_download_is_resumed_by_the_next()
    {
        await using var sandbox = await HubSandbox.StartAsync();
        sandbox.AddModel(weightBytes: 2_000_000);
        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        sandbox.Hub.Fault = request => request.IsCdn ? new StallFault(0.5) : null;
        using var client = sandbox.Client();
        var download = client.DownloadModelAsync("gpt2", cancellationToken: cancel.Token);
        while (PartialBytes(sandbox.Cache) < 1_000_000) await Task.Delay(1, Cancellation);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => download);

        sandbox.Hub.Fault = null;
        sandbox.Hub.Requests.Clear();
        await client.DownloadModelAsync("gpt2", cancellationToken: Cancellation);
        Assert.Equal("bytes=1000000-", Assert.Single(sandbox.Hub.Requests, request => request.IsCdn).Range);
        sandbox.CheckCache();
    }

    [Fact]
    public async Task A_cache_that_cannot_be_written_still_serves_what_it_has()
    {
        if (await ClosedFolders.IsTriedElsewhereAsync()) return;
        await using var sandbox = await HubSandbox.StartAsync();
        sandbox.AddModel();
        using var client = sandbox.Client();
        var folder = await client.DownloadModelAsync("gpt2", cancellationToken: Cancellation);
        using var closed = new ClosedFolders([sandbox.Cache, .. Directory.GetDirectories(sandbox.Cache, "*", SearchOption.AllDirectories)]);

        Assert.Equal(folder, await client.DownloadModelAsync("gpt2", cancellationToken: Cancellation));
        Assert.Equal(HubErrorKind.Cache, (await Assert.ThrowsAsync<HubException>(() => client.DownloadFileAsync("gpt2", "README.md", cancellationToken: Cancellation))).Kind);
    }

    private sealed class Reports(List<HubProgress> list) : IProgress<HubProgress>
    {
        public void Report(HubProgress value) => list.Add(value);
    }

    private static long PartialBytes(string cache) => !Directory.Exists(cache) ? 0
        : Directory.EnumerateFiles(cache, "*.incomplete", SearchOption.AllDirectories).Sum(file => new FileInfo(file) is { Exists: true } partial ? partial.Length : 0);
}
