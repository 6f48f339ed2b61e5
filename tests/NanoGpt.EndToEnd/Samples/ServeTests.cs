// The server as a client sees it, over a real connection to a process of its own.

using System.Net;
using System.Net.Http.Json;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace NanoGpt.EndToEnd.Samples;

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
    public Task What_cannot_be_done_as_asked_is_refused(string body, int status, string message) => RefusedAsync("/v1/completions", body, status, message);

    [Theory]
    [InlineData("""{}""", "messages is missing")]
    [InlineData("""{"messages":[]}""", "messages is missing")]
    [InlineData("""{"messages":[{"role":"tool","content":"x"}]}""", "messages[0].role is 'tool'")]
    [InlineData("""{"messages":[{"role":"user"}]}""", "messages[0].content must be")]
    [InlineData("""{"messages":[{"role":"user","content":[{"type":"image_url"}]}]}""", "messages[0].content must be")]
    [InlineData("""{"messages":[{"role":"user","content":"§"}]}""", "§")]
    [InlineData("""{"messages":[{"role":"user","content":"x"}],"tools":[{}]}""", "tools")]
    [InlineData("""{"messages":[{"role":"user","content":"x"}],"response_format":{"type":"json_object"}}""", "json_object")]
    [InlineData("""{"messages":[{"role":"user","content":"x"}],"max_completion_tokens":101}""", "gives 100 tokens")]
    [InlineData("""{"messages":[{"role":"user","content":"x"}],"logprobs":true,"top_logprobs":21}""", "top_logprobs is 21")]
    [InlineData("""{"messages":[{"role":"user","content":"x"}],"top_logprobs":2}""", "needs logprobs")]
    public Task A_chat_that_cannot_be_answered_as_asked_is_refused(string body, string message) => RefusedAsync("/v1/chat/completions", body, 400, message);

    [Theory]
    [InlineData("""{}""", "input is missing")]
    [InlineData("""{"input":""}""", "has 0 tokens")]
    [InlineData("""{"input":[1]}""", "input must be")]
    [InlineData("""{"input":"x","dimensions":7}""", "Dimensions is 7")]
    [InlineData("""{"input":"x","encoding_format":"hex"}""", "encoding_format is 'hex'")]
    public Task Embeddings_that_cannot_be_made_are_refused(string body, string message) => RefusedAsync("/v1/embeddings", body, 400, message);

    [Theory]
    [InlineData("/v1/completions", """{"prompt":"x","model":"gpt-5"}""")]
    [InlineData("/v1/chat/completions", """{"messages":[{"role":"user","content":"x"}],"model":"gpt-5"}""")]
    [InlineData("/v1/embeddings", """{"input":"x","model":"gpt-5"}""")]
    public async Task Another_model_is_not_found(string path, string body)
    {
        var error = await RefusedAsync(path, body, 404, "no model 'gpt-5' here, only 'tiny'");
        Assert.Equal(("model", "model_not_found"), (error.GetProperty("param").GetString(), error.GetProperty("code").GetString()));
    }

    [Fact]
    public async Task Chats_are_the_library_s_own_whole_and_streamed()
    {
        using var gpt = GPT.FromPretrained(model);
        var expected = gpt.Generate("Good day. The lamp", new() { MaxNewTokens = 12, Temperature = 1, TopK = 0, Seed = 7 });
        object[] messages = [new { role = "developer", content = "Good day. " }, new { role = "user", content = new[] { new { type = "text", text = "The lamp" } } }];

        var whole = await PostAsync(new { messages, max_tokens = 12, seed = 7, logprobs = true, top_logprobs = 2 }, "/v1/chat/completions");
        var choice = whole.GetProperty("choices")[0];
        Assert.Equal(("chat.completion", "assistant", expected, "length"), (whole.GetProperty("object").GetString(), choice.GetProperty("message").GetProperty("role").GetString(),
            choice.GetProperty("message").GetProperty("content").GetString(), choice.GetProperty("finish_reason").GetString()));
        var tokens = choice.GetProperty("logprobs").GetProperty("content").EnumerateArray().ToList();
        Assert.Equal(12, tokens.Count);
        Assert.Equal(expected, Encoding.UTF8.GetString([.. tokens.SelectMany(t => t.GetProperty("bytes").EnumerateArray().Select(b => b.GetByte()))]));
        Assert.All(tokens, token => Assert.Equal(2, token.GetProperty("top_logprobs").GetArrayLength()));

        var events = await StreamAsync(new { messages, max_tokens = 12, seed = 7, stream = true, stream_options = new { include_usage = true } }, "/v1/chat/completions");
        Assert.Equal("[DONE]", events[^1]);
        var chunks = events.SkipLast(1).Select(e => JsonDocument.Parse(e).RootElement).ToList();
        var deltas = chunks.SkipLast(1).Select(chunk => chunk.GetProperty("choices")[0].GetProperty("delta")).ToList();
        Assert.Equal("assistant", deltas[0].GetProperty("role").GetString());
        Assert.Equal(expected, string.Concat(deltas.Select(delta => delta.TryGetProperty("content", out var content) ? content.GetString() : "")));
        Assert.Equal("length", chunks[^2].GetProperty("choices")[0].GetProperty("finish_reason").GetString());
        Assert.Equal(whole.GetProperty("usage").GetProperty("total_tokens").GetInt32(), chunks[^1].GetProperty("usage").GetProperty("total_tokens").GetInt32());

        var several = await PostAsync(new { messages, max_tokens = 5, n = 3, seed = 7 }, "/v1/chat/completions");
        Assert.Equal(3, several.GetProperty("choices").EnumerateArray().Select(c => c.GetProperty("message").GetProperty("content").GetString()).Distinct().Count());
        Assert.Equal(15, several.GetProperty("usage").GetProperty("completion_tokens").GetInt32());
    }

    [Fact]
    public async Task Embeddings_are_the_library_s_own_as_numbers_and_as_bytes()
    {
        using var gpt = GPT.FromPretrained(model);
        using var generator = gpt.AsEmbeddingGenerator();
        var expected = (await generator.GenerateAsync(["The lamp", "was lit"])).Select(e => e.Vector.ToArray()).ToList();

        var numbers = await PostAsync(new { input = new[] { "The lamp", "was lit" } }, "/v1/embeddings");
        var bytes = await PostAsync(new { input = new[] { "The lamp", "was lit" }, encoding_format = "base64" }, "/v1/embeddings");
        for (var i = 0; i < 2; i++)
        {
            Assert.Equal(expected[i], numbers.GetProperty("data")[i].GetProperty("embedding").EnumerateArray().Select(number => number.GetSingle()));
            Assert.Equal(expected[i], MemoryMarshal.Cast<byte, float>(bytes.GetProperty("data")[i].GetProperty("embedding").GetBytesFromBase64()).ToArray());
        }

        Assert.Equal(15, numbers.GetProperty("usage").GetProperty("prompt_tokens").GetInt32());
    }

    private async Task<JsonElement> RefusedAsync(string path, string body, int status, string message)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using var answer = await client.PostAsync(path, content, TestContext.Current.CancellationToken);
        Assert.Equal(status, (int)answer.StatusCode);
        var error = (await answer.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken)).GetProperty("error");
        Assert.Contains(message, error.GetProperty("message").GetString());
        Assert.Equal("invalid_request_error", error.GetProperty("type").GetString());
        Assert.True(error.TryGetProperty("param", out _) && error.TryGetProperty("code", out _));
        return error;
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
        using var refused = await client.GetAsync("/v1/models", TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        var error = (await refused.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken)).GetProperty("error");
        Assert.Equal("invalid_api_key", error.GetProperty("code").GetString());
    }

    private async Task<JsonElement> PostAsync(object request, string path = "/v1/completions")
    {
        using var answer = await client.PostAsJsonAsync(path, request, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        return await answer.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken);
    }

    private async Task<List<string>> StreamAsync(object request, string path = "/v1/completions")
    {
        using var answer = await client.PostAsJsonAsync(path, request, TestContext.Current.CancellationToken);
        Assert.Equal("text/event-stream", answer.Content.Headers.ContentType!.MediaType);
        var text = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        return [.. text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Select(e => e["data: ".Length..])];
    }
}
