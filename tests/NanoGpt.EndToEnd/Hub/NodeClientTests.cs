// The Hub's own JavaScript client beside ours: it must get along with the loopback Hub (or that one proves nothing), read
// the cache that we fill, and fill one that we read. Skipped where tests/hub-node/install has not been run.

using System.Diagnostics;
using System.Text.Json;
using NanoGpt.Hub;

namespace NanoGpt.EndToEnd.Hub;

public sealed class NodeClientTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_JavaScript_client_downloads_from_the_loopback_Hub()
    {
        await using var sandbox = await HubSandbox.StartAsync();
        sandbox.AddModel();
        var target = Path.Combine(sandbox.Root, "file");
        foreach (var file in (string[])["model.safetensors", "config.json"])
        {
            await RunAsync("download", Address(sandbox), "openai-community/gpt2", file, target);
            Assert.Equal(sandbox.Hub.Repository("openai-community/gpt2").Files(sandbox.Hub.Repository("openai-community/gpt2").Head)[file].Content.Sha256, HubSandbox.Sha256(target));
        }

        Assert.Contains(sandbox.Hub.Requests, request => request.IsCdn);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_JavaScript_client_reads_our_cache_without_warnings(bool links)
    {
        await using var sandbox = await HubSandbox.StartAsync();
        var repository = sandbox.AddModel();
        using var client = sandbox.Client(links: links);
        await client.DownloadModelAsync("gpt2", cancellationToken: Cancellation);
        await client.DownloadModelAsync("gpt2", repository.Head, cancellationToken: Cancellation);
        sandbox.AddModel("a/b").IsPrivate = true;
        await Assert.ThrowsAsync<HubException>(() => client.DownloadModelAsync("a/b", cancellationToken: Cancellation));

        var scan = await RunAsync("scan", sandbox.Cache);
        Assert.Empty(scan.GetProperty("warnings").EnumerateArray());
        var model = Assert.Single(scan.GetProperty("repos").EnumerateArray());
        Assert.Equal("openai-community/gpt2", model.GetProperty("name").GetString());
        var revision = Assert.Single(model.GetProperty("revisions").EnumerateArray());
        Assert.Equal((repository.Head, 5), (revision.GetProperty("commitOid").GetString(), revision.GetProperty("files").GetInt32()));
        Assert.Equal("main", Assert.Single(revision.GetProperty("refs").EnumerateArray()).GetString());
        Assert.Equal(new HubCache(sandbox.Cache).Scan().Single().SizeBytes, model.GetProperty("size").GetInt64());
    }

    [Fact]
    public async Task A_cache_of_the_JavaScript_client_is_used_offline()
    {
        await using var sandbox = await HubSandbox.StartAsync();
        sandbox.AddModel();
        var folder = (await RunAsync("snapshot", Address(sandbox), "openai-community/gpt2", sandbox.Cache)).GetProperty("folder").GetString()!;
        sandbox.Hub.Requests.Clear();
        using var client = sandbox.Client(offline: true);
        Assert.Equal(folder, await client.DownloadModelAsync("gpt2", cancellationToken: Cancellation));
        Assert.Empty(sandbox.Hub.Requests);
        Assert.All(await new HubCache(sandbox.Cache).VerifyAsync(cancellationToken: Cancellation), file => Assert.Equal(HubFileState.Whole, file.State));
    }

    [Fact]
    public async Task The_JavaScript_client_uploads_to_the_loopback_Hub_and_downloads_what_we_upload()
    {
        await using var sandbox = await HubSandbox.StartAsync();
        var folder = Directory.CreateDirectory(Path.Combine(sandbox.Root, "model")).FullName;
        await File.WriteAllTextAsync(Path.Combine(folder, "config.json"), "{}", Cancellation);
        await File.WriteAllBytesAsync(Path.Combine(folder, "model.safetensors"), HubSandbox.Noise(100_000, 1), Cancellation);
        await RunAsync("upload", Address(sandbox), "me/theirs", folder, LoopbackHub.Token);
        using var client = sandbox.Client(token: LoopbackHub.Token);
        await client.UploadFolderAsync(folder, "me/ours", new HubUploadOptions { Private = false }, cancellationToken: Cancellation);

        var (theirs, ours) = (sandbox.Hub.Repository("me/theirs"), sandbox.Hub.Repository("me/ours"));
        Assert.Equal(
            theirs.Files(theirs.Head).Select(file => $"{file.Key} {file.Value.IsLfs} {file.Value.ETag}").Order(StringComparer.Ordinal),
            ours.Files(ours.Head).Select(file => $"{file.Key} {file.Value.IsLfs} {file.Value.ETag}").Order(StringComparer.Ordinal));
        var target = Path.Combine(sandbox.Root, "file");
        await RunAsync("download", Address(sandbox), "me/ours", "model.safetensors", target);
        Assert.Equal(HubSandbox.Sha256(Path.Combine(folder, "model.safetensors")), HubSandbox.Sha256(target));
    }

    private static string Address(HubSandbox sandbox) => sandbox.Hub.Address.AbsoluteUri.TrimEnd('/');

    private static async Task<JsonElement> RunAsync(params string[] arguments)
    {
        var start = new ProcessStartInfo("node") { RedirectStandardOutput = true, RedirectStandardError = true };
        start.ArgumentList.Add(Script());
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        using var node = Process.Start(start)!;
        var error = node.StandardError.ReadToEndAsync(Cancellation);
        var output = await node.StandardOutput.ReadToEndAsync(Cancellation);
        await node.WaitForExitAsync(Cancellation);
        Assert.True(node.ExitCode == 0, await error);
        return JsonDocument.Parse(output).RootElement;
    }

    private static string Script()
    {
        if (!(Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Any(folder => File.Exists(Path.Combine(folder, "node")) || File.Exists(Path.Combine(folder, "node.exe"))))
            Assert.Skip("Node.js is not installed");
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var script = Path.Combine(folder.FullName, "tests", "hub-node", "client.mjs");
            if (!File.Exists(script)) continue;
            if (!Directory.Exists(Path.Combine(folder.FullName, "tests", "hub-node", "node_modules", "@huggingface", "hub"))) break;
            return script;
        }

        Assert.Skip("@huggingface/hub is not installed: run tests/hub-node/install");
        return "";
    }
}
