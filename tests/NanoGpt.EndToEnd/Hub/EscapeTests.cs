// Promise 16: no name from outside makes a file outside the cache. Names as a file of the repository, as a shard of an index,
// and as what a link is made of (ETag and commit from headers).

using System.Text.Json;
using NanoGpt.Hub;
using NanoGpt.Tests.IO;

namespace NanoGpt.EndToEnd.Hub;

public sealed class EscapeTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task No_name_of_a_repository_file_leaves_the_cache()
    {
        await using var sandbox = await HubSandbox.StartAsync();
        sandbox.AddModel("a/b");
        using var client = sandbox.Client();
        foreach (var name in UnsafeNames.All)
        {
            var refused = await Assert.ThrowsAsync<HubException>(() => client.DownloadFileAsync("a/b", name, cancellationToken: Cancellation));
            Assert.Equal(HubErrorKind.UnsafeName, refused.Kind);
        }

        Assert.Empty(sandbox.Hub.Requests);
        AssertNothingOutside(sandbox);
    }

    [Fact]
    public async Task No_name_of_a_shard_leaves_the_cache()
    {
        await using var sandbox = await HubSandbox.StartAsync();
        foreach (var (name, number) in UnsafeNames.All.Select((name, number) => (name, number)))
        {
            var index = JsonSerializer.Serialize(new { weight_map = new Dictionary<string, string> { ["wte.weight"] = name } });
            sandbox.Hub.Repository($"a/b{number}").Add("config.json", "{}").Add("model.safetensors.index.json", index);
            using var client = sandbox.Client();
            var refused = await Assert.ThrowsAnyAsync<NanoGptException>(() => client.DownloadModelAsync($"a/b{number}", cancellationToken: Cancellation));
            Assert.True(refused is ModelFormatException or HubException { Kind: HubErrorKind.UnsafeName }, $"{name}: {refused}");
        }

        AssertNothingOutside(sandbox);
        Assert.All(Directory.GetFiles(sandbox.Cache, "*", SearchOption.AllDirectories), path => Assert.True(
            Path.GetFileName(path) is "config.json" or "model.safetensors.index.json" or "model.safetensors" or "CACHEDIR.TAG"
            || path.Contains("blobs", StringComparison.Ordinal) || path.Contains(".lock", StringComparison.Ordinal), path));
    }

    [Theory]
    [InlineData("X-Linked-Etag")]
    [InlineData("X-Repo-Commit")]
    [InlineData("Location")]
    public async Task No_header_makes_a_link_that_leaves_the_cache(string header)
    {
        await using var sandbox = await HubSandbox.StartAsync();
        sandbox.AddModel("a/b");
        var caches = 0;
        foreach (var name in UnsafeNames.All.Where(name => name.Length > 0 && name.All(c => c is >= ' ' and < '\x7f')))
        {
            sandbox.Hub.Fault = request => request.Method == "HEAD" ? new HeaderFault(header, name) : null;
            var cache = Path.Combine(sandbox.Cache, $"{caches++}"); // none to fall back on
            using var client = sandbox.Client(tries: 1, cache: cache);
            var failure = await Record.ExceptionAsync(() => client.DownloadFileAsync("a/b", "model.safetensors", cancellationToken: Cancellation));
            // HTTP drops spaces at the ends of a header: what is left may be a good name.
            Assert.True(failure is HubException || header == "Location" || name.Trim() != name, $"{name}: {failure}");
            if (Directory.Exists(cache)) sandbox.CheckCache(cache);
        }

        AssertNothingOutside(sandbox);
    }

    [Fact]
    public async Task Links_planted_in_a_cache_are_not_written_through()
    {
        await using var sandbox = await HubSandbox.StartAsync();
        var repository = sandbox.AddModel("a/b");
        var outside = Directory.CreateDirectory(Path.Combine(sandbox.Root, "outside")).FullName;
        var victim = Path.Combine(outside, "victim");
        await File.WriteAllTextAsync(victim, "mine", Cancellation);
        var layout = new HubCacheLayout(sandbox.Cache, HubRepository.Parse("a/b"));
        var etag = repository.Files(repository.Head)["model.safetensors"].ETag;
        layout.Prepare(repository.Head, etag);
        File.CreateSymbolicLink(layout.Partial(etag), victim);
        Directory.CreateSymbolicLink(Path.Combine(layout.Snapshot(repository.Head), "onnx"), outside);

        using var client = sandbox.Client();
        await client.DownloadModelAsync("a/b", cancellationToken: Cancellation);
        Assert.Equal(HubErrorKind.Cache, (await Assert.ThrowsAsync<HubException>(() => client.DownloadFileAsync("a/b", "onnx/decoder_model.onnx", cancellationToken: Cancellation))).Kind);
        Assert.Equal("mine", await File.ReadAllTextAsync(victim, Cancellation));
        Assert.Single(Directory.GetFileSystemEntries(outside));
    }

    private static void AssertNothingOutside(HubSandbox sandbox) =>
        Assert.All(Directory.GetFileSystemEntries(sandbox.Root), entry => Assert.Equal("cache", Path.GetFileName(entry)));
}
