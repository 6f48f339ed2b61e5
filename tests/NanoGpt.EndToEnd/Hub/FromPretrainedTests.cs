// The whole way of a model: made, saved, uploaded, loaded by its id, loaded again without a network, and by the program.

using System.Diagnostics;
using NanoGpt.Hub;
using NanoGpt.Tests.Formats;
using NanoGpt.Tokenization;

namespace NanoGpt.EndToEnd.Hub;

public sealed class FromPretrainedTests
{
    private static readonly GenerationOptions Options = new() { MaxNewTokens = 40, Seed = 1 };

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_model_comes_back_from_the_Hub_as_it_went()
    {
        await using var sandbox = await HubSandbox.StartAsync();
        var folder = Path.Combine(sandbox.Root, "model");
        var expected = await UploadAsync(sandbox, folder, "me/bard");

        var options = new PretrainedOptions { Endpoint = sandbox.Hub.Address, CacheDirectory = sandbox.Cache, Token = LoopbackHub.Token, LoggerFactory = sandbox.Log };
        using (var gpt = await GPT.FromPretrainedAsync("me/bard", options, cancellationToken: Cancellation))
            Assert.Equal(expected, gpt.Generate("ab", Options, Cancellation));

        Assert.Contains("me/bard", sandbox.Log.Text, StringComparison.Ordinal);

        sandbox.Hub.Requests.Clear();
        using (var gpt = GPT.FromPretrained("me/bard", options with { LocalFilesOnly = true }))
            Assert.Equal(expected, gpt.Generate("ab", Options, Cancellation));
        Assert.Empty(sandbox.Hub.Requests);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_model_in_weights_of_torch_save_only_runs_as_its_original(int shards)
    {
        await using var sandbox = await HubSandbox.StartAsync();
        var (folder, torch) = (Path.Combine(sandbox.Root, "model"), Path.Combine(sandbox.Root, "torch"));
        var expected = await UploadAsync(sandbox, folder, "me/bard");
        TorchStateWriter.WriteFolder(folder, torch, shards);
        var repository = sandbox.Hub.Repository("me/old");
        foreach (var file in Directory.GetFiles(torch).Append(Path.Combine(folder, "characters.json")))
            repository.Add(Path.GetFileName(file), await File.ReadAllBytesAsync(file, Cancellation));

        var options = new PretrainedOptions { Endpoint = sandbox.Hub.Address, CacheDirectory = sandbox.Cache };
        using var gpt = await GPT.FromPretrainedAsync("me/old", options, cancellationToken: Cancellation);
        Assert.Equal(expected, gpt.Generate("ab", Options, Cancellation));
    }

    [Fact]
    public async Task The_program_uploads_downloads_lists_verifies_and_deletes_by_what_the_environment_names()
    {
        await using var sandbox = await HubSandbox.StartAsync();
        var folder = Path.Combine(sandbox.Root, "model");
        await UploadAsync(sandbox, folder, "me/other");
        Assert.Contains("me/bard/commit/", await RunAsync(sandbox, "upload", folder, "me/bard"), StringComparison.Ordinal);
        var downloaded = await RunAsync(sandbox, "download", "me/bard");
        Assert.Equal(new HubCache(sandbox.Cache).Scan().Single().Revisions.Single().Path, downloaded);
        Assert.Contains("me/bard", await RunAsync(sandbox, "cache"), StringComparison.Ordinal);
        Assert.Contains(" 0 not as they should be", await RunAsync(sandbox, "cache", "verify", "--model=me/bard"), StringComparison.Ordinal);
        Assert.Contains("freed", await RunAsync(sandbox, "cache", "delete", "--model=me/bard"), StringComparison.Ordinal);
        Assert.False(Directory.Exists(downloaded));
    }

    [Fact]
    public async Task Without_a_network_and_without_a_copy_the_error_says_where_was_looked_and_what_to_do()
    {
        await using var sandbox = await HubSandbox.StartAsync();
        var options = new PretrainedOptions { Endpoint = new Uri("http://127.0.0.1:1"), CacheDirectory = sandbox.Cache };

        var error = await Assert.ThrowsAsync<HubException>(() => GPT.FromPretrainedAsync("me/bard", options, cancellationToken: Cancellation));

        Assert.Equal(HubErrorKind.Network, error.Kind);
        Assert.StartsWith("'me/bard' is no file or folder here, so it was looked for on the Hub.", error.Message, StringComparison.Ordinal);
        Assert.Contains($"is not in the cache ({sandbox.Cache})", error.Message, StringComparison.Ordinal);
        Assert.Contains("127.0.0.1:1", error.Message, StringComparison.Ordinal);
        Assert.Contains("Connect once", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Options_don_t_show_their_token() =>
        Assert.DoesNotContain(LoopbackHub.Token, new PretrainedOptions { Token = LoopbackHub.Token }.ToString(), StringComparison.Ordinal);

    private static async Task<string> RunAsync(HubSandbox sandbox, params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", [Samples.Nanogpt.Program, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["HF_ENDPOINT"] = sandbox.Hub.Address.AbsoluteUri;
        start.Environment["HF_HUB_CACHE"] = sandbox.Cache;
        start.Environment["HF_TOKEN"] = LoopbackHub.Token;
        start.Environment["HF_HUB_OFFLINE"] = "0";
        using var program = Process.Start(start)!;
        var errors = program.StandardError.ReadToEndAsync(Cancellation);
        var output = await program.StandardOutput.ReadToEndAsync(Cancellation);
        await program.WaitForExitAsync(Cancellation);
        Assert.True(program.ExitCode == 0, output + await errors);
        Assert.DoesNotContain(LoopbackHub.Token, output + await errors, StringComparison.Ordinal);
        return output.Trim();
    }

    private static async Task<string> UploadAsync(HubSandbox sandbox, string folder, string model)
    {
        var tokenizer = new CharacterTokenizer("abcdefgh \n".EnumerateRunes());
        using var gpt = new GPT(new GPTConfig { NLayer = 2, NHead = 2, NEmbd = 32, BlockSize = 64, VocabSize = tokenizer.VocabSize }, tokenizer);
        gpt.SavePretrained(folder);
        new HubModelCard { Name = "Bard", ValidationLoss = 2.1 }.WriteTo(folder);
        using var client = sandbox.Client(token: LoopbackHub.Token);
        await client.UploadFolderAsync(folder, model, cancellationToken: Cancellation);
        return gpt.Generate("ab", Options, Cancellation);
    }
}
