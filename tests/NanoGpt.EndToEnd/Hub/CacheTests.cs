using NanoGpt.Hub;

namespace NanoGpt.EndToEnd.Hub;

public sealed class CacheTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_cache_is_listed_verified_and_deleted()
    {
        await using var sandbox = await HubSandbox.StartAsync();
        var repository = sandbox.AddModel();
        sandbox.AddModel("a/b");
        using var client = sandbox.Client();
        await client.DownloadModelAsync("gpt2", cancellationToken: Cancellation);
        var folder = await client.DownloadModelAsync("a/b", cancellationToken: Cancellation);
        var cache = new HubCache(sandbox.Cache);

        var models = cache.Scan();
        Assert.Equal(["a/b", "openai-community/gpt2"], models.Select(model => model.Model));
        var revision = Assert.Single(models[1].Revisions);
        Assert.Equal((repository.Head, "main", 5), (revision.Commit, Assert.Single(revision.Refs), revision.Files.Count));
        Assert.Equal(revision.SizeBytes, models[1].SizeBytes);
        Assert.Equal(300_000, revision.Files.Single(file => file.Name == "model.safetensors").SizeBytes);
        Assert.Equal(Path.Combine(sandbox.Cache, "models--openai-community--gpt2"), models[1].Path);
        Assert.All(await cache.VerifyAsync(cancellationToken: Cancellation), file => Assert.Equal(HubFileState.Whole, file.State));
        Assert.All(await cache.VerifyAsync("gpt2", cancellationToken: Cancellation), file => Assert.Equal(repository.Head, file.Commit));

        var weights = new FileInfo(Path.Combine(folder, "model.safetensors")).ResolveLinkTarget(true)!.FullName;
        var bytes = await File.ReadAllBytesAsync(weights, Cancellation);
        bytes[1000] ^= 1;
        await File.WriteAllBytesAsync(weights, bytes, Cancellation);
        File.Delete(new FileInfo(Path.Combine(folder, "vocab.json")).ResolveLinkTarget(true)!.FullName);
        var bad = (await cache.VerifyAsync("a/b", cancellationToken: Cancellation)).Where(file => file.State != HubFileState.Whole).ToDictionary(file => file.File.Name, file => file.State);
        Assert.Equal(new Dictionary<string, HubFileState> { ["model.safetensors"] = HubFileState.Corrupt, ["vocab.json"] = HubFileState.Missing }, bad);

        Assert.Equal(models[1].SizeBytes, cache.Delete("gpt2"));
        Assert.Equal("a/b", Assert.Single(cache.Scan()).Model);
        Assert.Equal(0, cache.Delete("gpt2"));
    }

    [Fact]
    public async Task Deleting_a_revision_leaves_what_others_share()
    {
        await using var sandbox = await HubSandbox.StartAsync();
        var repository = sandbox.AddModel("a/b");
        using var client = sandbox.Client();
        var first = await client.DownloadModelAsync("a/b", cancellationToken: Cancellation);
        repository.Add("model.safetensors", HubSandbox.Noise(200_000, 9));
        var second = await client.DownloadModelAsync("a/b", cancellationToken: Cancellation);
        var cache = new HubCache(sandbox.Cache);
        Assert.Equal(300_000, cache.Delete("a/b", Path.GetFileName(first)));
        Assert.False(Directory.Exists(first));
        Assert.Equal(5, Directory.GetFiles(second).Length);
        Assert.All(await cache.VerifyAsync(cancellationToken: Cancellation), file => Assert.Equal(HubFileState.Whole, file.State));
    }

    [Fact]
    public async Task A_link_out_of_the_cache_is_reported_and_not_read()
    {
        await using var sandbox = await HubSandbox.StartAsync();
        sandbox.AddModel("a/b");
        using var client = sandbox.Client();
        var folder = await client.DownloadModelAsync("a/b", cancellationToken: Cancellation);
        var outside = Path.Combine(sandbox.Root, "outside");
        await File.WriteAllTextAsync(outside, "x", Cancellation);
        File.Delete(Path.Combine(folder, "vocab.json"));
        File.CreateSymbolicLink(Path.Combine(folder, "vocab.json"), outside);
        Directory.CreateSymbolicLink(Path.Combine(folder, "loop"), sandbox.Root);
        var cache = new HubCache(sandbox.Cache);
        var found = await cache.VerifyAsync(cancellationToken: Cancellation);
        Assert.Equal(HubFileState.Outside, found.Single(file => file.File.Name == "vocab.json").State);
        Assert.Equal(5, found.Count);
        cache.Delete("a/b");
        Assert.True(File.Exists(outside));
    }
}
