// The server as a client sees it, over a real connection to a process of its own.

using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;

namespace NanoGpt.EndToEnd.Samples;

/// <summary>One server for all tests.</summary>
public sealed class RunningServer : IDisposable
{
    public const string Key = "a key";
    private readonly Nanogpt nanogpt = new();
    private readonly Process process;

    public RunningServer()
    {
        Model = TinyModel.Write(nanogpt.PathOf("tiny"));
        process = nanogpt.Start("serve", "--init_from=tiny", "--port=0", $"--api_key={Key}", "--max_tokens=100", "--max_body_kilobytes=4");
        var line = process.StandardOutput.ReadLine();
        Assert.StartsWith("listening on http://127.0.0.1:", line, StringComparison.Ordinal);
        Address = new Uri(line!["listening on ".Length..]);
    }

    public string Model { get; }

    public Uri Address { get; }

    public void Dispose()
    {
        process.Kill();
        process.WaitForExit();
        process.Dispose();
        nanogpt.Dispose();
    }
}

public sealed class ServeTests : IClassFixture<RunningServer>, IDisposable
{
    private readonly string model;
    private readonly HttpClient client;

    public ServeTests(RunningServer server)
    {
        model = server.Model;
        client = new HttpClient { BaseAddress = server.Address };
        client.DefaultRequestHeaders.Authorization = new("Bearer", RunningServer.Key);
    }

    public void Dispose() => client.Dispose();

    [Fact]
    public async Task Completions_are_the_library_s_own_whole_and_streamed()
    {
        using var gpt = GPT.FromPretrained(model);
        var expected = gpt.Generate("The lamp", new() { MaxNewTokens = 20, Temperature = 1, TopK = 0, Seed = 7 });

        var whole = await PostAsync(new { prompt = "The lamp", max_tokens = 20, seed = 7 });
        Assert.Equal(expected, whole.GetProperty("choices")[0].GetProperty("text").GetString());
        Assert.Equal("length", whole.GetProperty("choices")[0].GetProperty("finish_reason").GetString());
        Assert.Equal((8, 20), (whole.GetProperty("usage").GetProperty("prompt_tokens").GetInt32(), whole.GetProperty("usage").GetProperty("completion_tokens").GetInt32()));

        var events = await StreamAsync(new { prompt = "The lamp", max_tokens = 20, seed = 7, stream = true });
        Assert.Equal("[DONE]", events[^1]);
        Assert.Equal(21, events.Count);
        Assert.Equal(expected, string.Concat(events.SkipLast(1).Select(e => JsonDocument.Parse(e).RootElement.GetProperty("choices")[0].GetProperty("text").GetString())));
    }

    [Fact]
    public async Task Logprobs_are_those_of_the_model_s_distribution()
    {
        var answer = await PostAsync(new { prompt = "The lamp", max_tokens = 3, temperature = 0, logprobs = 5 });
        var logprobs = answer.GetProperty("choices")[0].GetProperty("logprobs");
        for (var i = 0; i < 3; i++)
        {
            var chosen = logprobs.GetProperty("token_logprobs")[i].GetDouble();
            var top = logprobs.GetProperty("top_logprobs")[i].EnumerateObject().Select(p => p.Value.GetDouble()).ToList();
            Assert.Equal(5, top.Count);
            Assert.Equal(top.Max(), chosen); // greedy takes the likeliest
            Assert.InRange(top.Sum(Math.Exp), 0, 1);
        }
    }

    [Fact]
    public async Task Several_prompts_and_several_answers_are_numbered()
    {
        var answer = await PostAsync(new { prompt = new[] { "One", "Two" }, n = 2, max_tokens = 4, echo = true });
        var choices = answer.GetProperty("choices").EnumerateArray().ToList();
        Assert.Equal([0, 1, 2, 3], choices.Select(c => c.GetProperty("index").GetInt32()));
        Assert.Equal(["One", "One", "Two", "Two"], choices.Select(c => c.GetProperty("text").GetString()![..3]));
    }

    [Fact]
    public async Task Models_and_page_are_there()
    {
        var models = await client.GetFromJsonAsync<JsonElement>("/v1/models", TestContext.Current.CancellationToken);
        Assert.Equal("tiny", models.GetProperty("data")[0].GetProperty("id").GetString());
        client.DefaultRequestHeaders.Authorization = null;
        var page = await client.GetStringAsync("/", TestContext.Current.CancellationToken);
        Assert.Contains("<title>nanogpt</title>", page);
        Assert.DoesNotContain("http", page.Replace("http-equiv", "", StringComparison.Ordinal)); // nothing from elsewhere
    }

    [Theory]
    [InlineData("""{"prompt":"x","max_tokens":101}""", 400, "gives 100 tokens")]
    [InlineData("""{"prompt":"x","max_tokens":60,"n":2}""", 400, "gives 100 tokens")]
    [InlineData("""{"prompt":"x","temperature":-1}""", 400, "Temperature is -1")]
    [InlineData("""{"prompt":"x","temperature":"hot"}""", 400, "$.temperature")]
    [InlineData("""{"prompt":"x","n":2,"stream":true}""", 400, "One text can be streamed")]
    [InlineData("""{"prompt":"x","stop":[1]}""", 400, "stop must be")]
    [InlineData("""{"prompt":"x","logprobs":21}""", 400, "logprobs is 21")]
    [InlineData("""{"prompt":""}""", 400, "empty")]
    [InlineData("""{"prompt":"§"}""", 400, "§")]
    [InlineData("""{"prompt":42}""", 400, "prompt must be")]
    [InlineData("""{}""", 400, "prompt is missing")]
    [InlineData("""[]""", 400, "no JSON of the form")]
    [InlineData("""{""", 400, "no JSON of the form")]
    public async Task What_cannot_be_done_as_asked_is_refused(string body, int status, string message)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using var answer = await client.PostAsync("/v1/completions", content, TestContext.Current.CancellationToken);
        Assert.Equal(status, (int)answer.StatusCode);
        var error = (await answer.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken)).GetProperty("error");
        Assert.Contains(message, error.GetProperty("message").GetString());
        Assert.Equal("invalid_request_error", error.GetProperty("type").GetString());
    }

    [Fact]
    public async Task Key_host_size_and_content_type_are_checked()
    {
        var large = new StringContent($$"""{"prompt":"{{new string('x', 5000)}}"}""", Encoding.UTF8, "application/json");
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, (await client.PostAsync("/v1/completions", large, TestContext.Current.CancellationToken)).StatusCode);
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, (await client.PostAsync("/v1/completions", new StringContent("{}"), TestContext.Current.CancellationToken)).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await client.GetAsync("/v1/nothing", TestContext.Current.CancellationToken)).StatusCode);

        using var renamed = new HttpRequestMessage(HttpMethod.Get, "/v1/models") { Headers = { Host = "elsewhere.example" } };
        Assert.Equal(HttpStatusCode.Forbidden, (await client.SendAsync(renamed, TestContext.Current.CancellationToken)).StatusCode);

        client.DefaultRequestHeaders.Authorization = new("Bearer", "another key");
        Assert.Equal(HttpStatusCode.Unauthorized, (await client.GetAsync("/v1/models", TestContext.Current.CancellationToken)).StatusCode);
    }

    private async Task<JsonElement> PostAsync(object request)
    {
        using var answer = await client.PostAsJsonAsync("/v1/completions", request, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        return await answer.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken);
    }

    private async Task<List<string>> StreamAsync(object request)
    {
        using var answer = await client.PostAsJsonAsync("/v1/completions", request, TestContext.Current.CancellationToken);
        Assert.Equal("text/event-stream", answer.Content.Headers.ContentType!.MediaType);
        var text = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        return [.. text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Select(e => e["data: ".Length..])];
    }
}
