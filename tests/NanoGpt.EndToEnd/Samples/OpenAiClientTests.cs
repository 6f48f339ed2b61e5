// OpenAI's own JavaScript client and a real browser against the server: they must see what the library says. Skipped where
// tests/serve-node/install has not been run, or there is no Chromium.

using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text.Encodings.Web;
using System.Text.Json;
using NanoGpt.EndToEnd.Package;

namespace NanoGpt.EndToEnd.Samples;

public sealed class OpenAiClientTests(RunningServer server) : IClassFixture<RunningServer>
{
    private const string Prompt = "The lamp";
    private static readonly string Folder = Repository.File("tests", "serve-node");
    private static readonly JsonSerializerOptions AsInJavaScript = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly GenerationOptions Sampled = new() { MaxNewTokens = 30, Temperature = 1, TopK = 0, Seed = 11 };

    [Fact]
    public async Task OpenAI_s_client_gets_the_library_s_text()
    {
        using var gpt = GPT.FromPretrained(server.Model);
        var expected = gpt.Generate(Prompt, Sampled);
        var completion = new { model = "tiny", prompt = Prompt, max_tokens = 30, seed = 11 };
        var chat = new { model = "tiny", messages = new[] { new { role = "user", content = Prompt } }, max_completion_tokens = 30, seed = 11 };

        Assert.Equal(expected, (await ClientAsync("completion", completion)).GetProperty("choices")[0].GetProperty("text").GetString());
        Assert.Equal(expected, (await ClientAsync("chat", chat)).GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString());
        Assert.Equal(expected, Joined(await ClientAsync("completion-stream", completion), choice => choice.GetProperty("text")));
        var events = await ClientAsync("chat-stream", chat);
        Assert.Equal(expected, Joined(events, choice => choice.GetProperty("delta").TryGetProperty("content", out var text) ? text : default));
        Assert.Equal(30, events[events.GetArrayLength() - 1].GetProperty("usage").GetProperty("completion_tokens").GetInt32());

        Assert.Equal("tiny", (await ClientAsync("models", new { }))[0].GetProperty("id").GetString());
        using var embeddings = gpt.AsEmbeddingGenerator();
        var vector = (await ClientAsync("embeddings", new { model = "tiny", input = Prompt })).GetProperty("data")[0].GetProperty("embedding");
        Assert.Equal((await embeddings.GenerateAsync([Prompt]))[0].Vector.ToArray(), vector.EnumerateArray().Select(number => number.GetSingle()));
    }

    [Fact]
    public async Task OpenAI_s_client_understands_our_errors()
    {
        var bad = await ClientAsync("completion", new { model = "tiny", prompt = "x", max_tokens = 101 });
        Assert.Equal(("BadRequestError", "max_tokens", "invalid_request_error"),
            (bad.GetProperty("error").GetString(), bad.GetProperty("param").GetString(), bad.GetProperty("type").GetString()));

        var other = await ClientAsync("chat", new { model = "gpt-5", messages = new[] { new { role = "user", content = "x" } } });
        Assert.Equal(("NotFoundError", "model_not_found"), (other.GetProperty("error").GetString(), other.GetProperty("code").GetString()));

        var locked = await ClientAsync("models", new { }, key: "another key");
        Assert.Equal(("AuthenticationError", "invalid_api_key"), (locked.GetProperty("error").GetString(), locked.GetProperty("code").GetString()));
    }

    [Fact]
    public async Task A_program_whose_model_s_name_is_fixed_finds_it_under_that_name()
    {
        using var renamed = new RunningServer("--served_model_name=gpt-3.5-turbo-instruct");
        var answer = await NodeAsync("client.mjs", renamed.Address.AbsoluteUri, RunningServer.Key, "completion",
            JsonSerializer.Serialize(new { model = "gpt-3.5-turbo-instruct", prompt = Prompt, max_tokens = 3 }));
        Assert.Equal("gpt-3.5-turbo-instruct", answer.GetProperty("model").GetString());
    }

    [Fact]
    public async Task Who_leaves_early_makes_room_at_once()
    {
        // One place, no queue, and an answer of minutes: as long as the server goes on with it, every other request is refused.
        using var busy = new RunningServer("--max_concurrent=1", "--max_queued=0", "--max_tokens=10000000");
        using var client = new HttpClient { BaseAddress = busy.Address };
        client.DefaultRequestHeaders.Authorization = new("Bearer", RunningServer.Key);
        var endless = new { prompt = Prompt, max_tokens = 10_000_000, stream = true };
        using (var request = new HttpRequestMessage(HttpMethod.Post, "/v1/completions") { Content = JsonContent.Create(endless) })
        using (var answer = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead))
        using (var lines = new StreamReader(await answer.Content.ReadAsStreamAsync()))
        {
            for (var i = 0; i < 5; i++) await lines.ReadLineAsync();
            Assert.Equal(HttpStatusCode.TooManyRequests, await ShortRequestAsync());
        }

        var watch = Stopwatch.StartNew();
        while (await ShortRequestAsync() != HttpStatusCode.OK) Assert.True(watch.Elapsed < TimeSpan.FromSeconds(20), "the server goes on generating for nobody");

        async Task<HttpStatusCode> ShortRequestAsync() =>
            (await client.PostAsJsonAsync("/v1/completions", new { prompt = Prompt, max_tokens = 1 })).StatusCode;
    }

    [Theory]
    [InlineData("light")]
    [InlineData("dark")]
    public async Task The_page_shows_the_library_s_text_and_what_each_token_was_chosen_from(string colours)
    {
        var chromium = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
            .SelectMany(folder => new[] { Path.Combine(folder, "chromium"), Path.Combine(folder, "google-chrome") }).FirstOrDefault(File.Exists);
        Assert.SkipWhen(chromium is null, "Chromium is not installed");
        using var gpt = GPT.FromPretrained(server.Model);
        using var generator = new Generator(gpt);
        var tokens = generator.GenerateResults(Prompt, Sampled with { LogProbabilities = 6 })[0];

        var page = await NodeAsync("page.mjs", chromium!, server.Address.AbsoluteUri, RunningServer.Key, Prompt, "30", "11", colours);

        Assert.Equal(Prompt + tokens.Text, page.GetProperty("text").GetString());
        Assert.Empty(page.GetProperty("faults").EnumerateArray());
        Assert.Empty(page.GetProperty("elsewhere").EnumerateArray()); // self-contained
        Assert.Equal("tiny", page.GetProperty("model").GetString());

        var third = tokens.Tokens[2];
        var card = page.GetProperty("card").EnumerateArray().ToList();
        var chosen = Assert.Single(card, row => row.GetProperty("isChosen").GetBoolean());
        Assert.Equal(Shown(third.Text), chosen.GetProperty("text").GetString());
        Assert.Equal(100 * Math.Exp(third.LogProbability!.Value), chosen.GetProperty("share").GetDouble(), 0.006); // two decimals are shown
        var beaten = third.Top.Where(other => other.Id != third.Id).Take(5).Select(other => Shown(gpt.Tokenizer.Decode([other.Id])));
        Assert.Equal(beaten, card.Where(row => !row.GetProperty("isChosen").GetBoolean()).Select(row => row.GetProperty("text").GetString()));
        Assert.True(page.GetProperty("isCardHidden").GetBoolean()); // after Escape
        Assert.Equal(3, page.GetProperty("focused").GetInt32());    // an arrow key goes on to the next token
    }

    private static string Shown(string token) => JsonSerializer.Serialize(token, AsInJavaScript)[1..^1].Replace(' ', '·');

    private static string Joined(JsonElement events, Func<JsonElement, JsonElement> text) => string.Concat(
        events.EnumerateArray().SelectMany(item => item.GetProperty("choices").EnumerateArray()).Select(text).Select(piece => piece.ValueKind == JsonValueKind.String ? piece.GetString() : ""));

    private Task<JsonElement> ClientAsync(string what, object request, string key = RunningServer.Key) =>
        NodeAsync("client.mjs", server.Address.AbsoluteUri, key, what, JsonSerializer.Serialize(request));

    private static async Task<JsonElement> NodeAsync(string script, params string[] arguments)
    {
        var hasNode = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
            .Any(folder => File.Exists(Path.Combine(folder, "node")) || File.Exists(Path.Combine(folder, "node.exe")));
        Assert.SkipUnless(hasNode, "Node.js is not installed");
        Assert.SkipUnless(Directory.Exists(Path.Combine(Folder, "node_modules", "openai")), "OpenAI's client is not installed: run tests/serve-node/install");

        var start = new ProcessStartInfo("node", [Path.Combine(Folder, script), .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };
        using var node = Process.Start(start)!;
        var errors = node.StandardError.ReadToEndAsync();
        var output = await node.StandardOutput.ReadToEndAsync();
        await node.WaitForExitAsync();
        Assert.True(node.ExitCode == 0, output + await errors);
        return JsonDocument.Parse(output).RootElement;
    }
}
