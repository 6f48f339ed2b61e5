using NanoGpt.Hub;

namespace NanoGpt.EndToEnd.Hub;

public sealed class UploadTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_folder_becomes_a_commit_and_comes_back_the_same()
    {
        await using var sandbox = await HubSandbox.StartAsync();
        var folder = Model(sandbox);
        using var client = sandbox.Client(token: LoopbackHub.Token);
        var commit = await client.UploadFolderAsync(folder, "me/mine", new HubUploadOptions { Message = "Fine-tuned" }, cancellationToken: Cancellation);
        var repository = sandbox.Hub.Repository("me/mine");
        Assert.Equal(repository.Head, commit.Commit);
        Assert.True(repository.IsPrivate);
        Assert.Equal([".gitattributes", "README.md", "config.json", "model.safetensors", "onnx/model.bin"], repository.Files(commit.Commit).Keys.Order(StringComparer.Ordinal));
        Assert.True(repository.Files(commit.Commit)["model.safetensors"].IsLfs);
        Assert.DoesNotContain(sandbox.Hub.Requests, request => request.IsCdn && request.Authorization is not null);

        var back = await client.DownloadModelAsync("me/mine", cancellationToken: Cancellation);
        foreach (var name in (string[])["config.json", "model.safetensors"])
            Assert.Equal(File.ReadAllBytes(Path.Combine(folder, name)), File.ReadAllBytes(Path.Combine(back, name)));
    }

    [Fact]
    public async Task What_the_Hub_has_is_not_sent_again()
    {
        await using var sandbox = await HubSandbox.StartAsync();
        var folder = Model(sandbox);
        using var client = sandbox.Client(token: LoopbackHub.Token);
        await client.UploadFolderAsync(folder, "me/mine", cancellationToken: Cancellation);
        sandbox.Hub.Requests.Clear();
        await File.WriteAllTextAsync(Path.Combine(folder, "README.md"), "# Better", Cancellation);
        var commit = await client.UploadFolderAsync(folder, "me/mine", cancellationToken: Cancellation);
        Assert.DoesNotContain(sandbox.Hub.Requests, request => request.Method == "PUT");
        Assert.Equal("# Better", System.Text.Encoding.UTF8.GetString(((HubBytes)sandbox.Hub.Repository("me/mine").Files(commit.Commit)["README.md"].Content).Bytes));
    }

    [Fact]
    public async Task A_large_file_survives_a_storage_that_fails()
    {
        await using var sandbox = await HubSandbox.StartAsync();
        var folder = Model(sandbox);
        var left = 2;
        sandbox.Hub.Fault = request => request.Method == "PUT" && left-- > 0 ? new StatusFault(left == 1 ? 503 : 403) : null;
        using var client = sandbox.Client(token: LoopbackHub.Token);
        var commit = await client.UploadFolderAsync(folder, "me/mine", cancellationToken: Cancellation);
        Assert.Equal(5, sandbox.Hub.Repository("me/mine").Files(commit.Commit).Count);
    }

    [Fact]
    public async Task Without_a_token_with_write_access_nothing_is_sent()
    {
        await using var sandbox = await HubSandbox.StartAsync();
        var folder = Model(sandbox);
        using var stranger = sandbox.Client();
        Assert.Equal(HubErrorKind.Unauthorized, (await Assert.ThrowsAsync<HubException>(() => stranger.UploadFolderAsync(folder, "me/mine", cancellationToken: Cancellation))).Kind);
        Assert.Empty(sandbox.Hub.Requests);
        using var expired = sandbox.Client(token: "hf_expired");
        await Assert.ThrowsAsync<HubException>(() => expired.UploadFolderAsync(folder, "me/mine", cancellationToken: Cancellation));
        Assert.Empty(sandbox.Hub.Repositories);
        using var owner = sandbox.Client(token: LoopbackHub.Token);
        await Assert.ThrowsAsync<ArgumentException>(() => owner.UploadFolderAsync(folder, "mine", cancellationToken: Cancellation));
        await Assert.ThrowsAsync<ArgumentException>(() => owner.UploadFolderAsync(Path.Combine(folder, "none"), "me/mine", cancellationToken: Cancellation));
    }

    [Fact]
    public async Task A_commit_whose_answer_was_lost_is_not_made_twice()
    {
        await using var sandbox = await HubSandbox.StartAsync();
        var folder = Model(sandbox);
        using var client = sandbox.Client(token: LoopbackHub.Token);
        await client.UploadFolderAsync(folder, "me/mine", cancellationToken: Cancellation);
        sandbox.Hub.DropCommitAnswers = true;
        sandbox.Hub.Requests.Clear();
        var lost = await Assert.ThrowsAsync<HubException>(() => client.UploadFolderAsync(folder, "me/mine", cancellationToken: Cancellation));
        Assert.Equal(HubErrorKind.Network, lost.Kind);
        Assert.Single(sandbox.Hub.Requests, request => request.Path.Contains("/commit/", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_commit_goes_to_its_branch_with_its_words_and_only_onto_the_parent_it_names()
    {
        await using var sandbox = await HubSandbox.StartAsync();
        var folder = Model(sandbox);
        var repository = sandbox.AddModel("me/mine");
        var parent = repository.Head;
        repository.Refs["draft"] = parent;
        using var client = sandbox.Client(token: LoopbackHub.Token);
        var options = new HubUploadOptions { Message = "Better", Description = "By a lot.", Branch = "draft", CreateRepository = false, ParentCommit = parent };

        var commit = await client.UploadFolderAsync(folder, "me/mine", options, cancellationToken: Cancellation);
        Assert.Equal(("me/mine", repository.Refs["draft"]), (commit.Model, commit.Commit));
        Assert.Equal(parent, repository.Head);
        Assert.Equal("Better\n\nBy a lot.", repository.LastMessage);
        Assert.DoesNotContain(sandbox.Hub.Requests, request => request.Path == "/api/repos/create");

        var late = await Assert.ThrowsAsync<HubException>(() => client.UploadFolderAsync(folder, "me/mine", options, cancellationToken: Cancellation));
        Assert.Equal(System.Net.HttpStatusCode.PreconditionFailed, late.StatusCode);
        Assert.Equal(commit.Commit, repository.Refs["draft"]);
    }

    private static string Model(HubSandbox sandbox)
    {
        var folder = Directory.CreateDirectory(Path.Combine(sandbox.Root, "model")).FullName;
        Directory.CreateDirectory(Path.Combine(folder, "onnx"));
        Directory.CreateDirectory(Path.Combine(folder, ".git"));
        File.WriteAllText(Path.Combine(folder, "config.json"), "{}");
        File.WriteAllText(Path.Combine(folder, "README.md"), "# Mine");
        File.WriteAllText(Path.Combine(folder, ".git", "config"), "private");
        File.WriteAllText(Path.Combine(folder, "x.partial"), "half");
        File.WriteAllBytes(Path.Combine(folder, "model.safetensors"), HubSandbox.Noise(500_000, 1));
        File.WriteAllBytes(Path.Combine(folder, "onnx", "model.bin"), HubSandbox.Noise(5_000, 2));
        return folder;
    }
}
