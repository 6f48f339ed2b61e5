using Microsoft.Extensions.AI;
using NanoGpt.Chat;
using NanoGpt.Tokenization;

namespace NanoGpt.Tests.Chat;

/// <summary>A GPT as IChatClient: the library's own text, with what the interface promises around it.</summary>
public sealed class ChatClientTests
{
    private static readonly string Folder = Vectors.Path("tiny-gpt2", "vocab50257");
    private static readonly ChatMessage[] Hello = [new(ChatRole.User, "Hello")];
    private static readonly ChatClientOptions Plain = new() { Template = ChatTemplate.Plain };

    [Fact]
    public async Task An_answer_is_the_text_that_follows_nanoGPT_s_transcript()
    {
        using var gpt = GPT.FromPretrained(Folder);
        using var chat = gpt.AsChatClient();
        ChatMessage[] messages = [new(ChatRole.System, "Be kind. "), .. Hello, new(ChatRole.Assistant, "Hi!"), new(ChatRole.User, "And now?")];
        var expected = gpt.Generate(
            "Be kind. <human>Hello<endOfText><bot>Hi!<endOfText><human>And now?<endOfText><bot>",
            new() { MaxNewTokens = 20, Temperature = 0.8, TopK = 5, Seed = 3, StopStrings = ["<endOfText>", "<human>"] });

        var answer = await chat.GetResponseAsync(messages, new() { MaxOutputTokens = 20, Seed = 3 });
        Assert.Equal(expected, answer.Text);
        Assert.Equal(ChatRole.Assistant, Assert.Single(answer.Messages).Role);

        // Instructions are a system text that comes first.
        var instructed = await chat.GetResponseAsync(messages[1..], new() { MaxOutputTokens = 20, Seed = 3, Instructions = "Be kind. " });
        Assert.Equal(expected, instructed.Text);
    }

    [Fact]
    public void Every_option_reaches_the_generator()
    {
        using var gpt = GPT.FromPretrained(Folder);
        var options = new ChatOptions
        {
            Temperature = 0.7f, TopP = 0.9f, TopK = 7, Seed = 42, MaxOutputTokens = 11, FrequencyPenalty = 0.1f, PresencePenalty = -0.3f, StopSequences = ["one"],
        };
        var read = Read(options, new GenerationOptions { MinP = 0.01, StopStrings = ["zero"] }, ChatTemplate.NanoGpt).Options;

        Assert.Equal((0.7, 0.9, 7, 42L, 11, 0.1, -0.3), (read.Temperature, read.TopP, read.TopK, read.Seed, read.MaxNewTokens, read.FrequencyPenalty, read.PresencePenalty));
        Assert.Equal(["zero", "one", "<endOfText>", "<human>"], read.StopStrings);
        Assert.Equal(0.01, read.MinP);
        Assert.Equal(new ChatClientOptions().Generation.Temperature, Read(new ChatOptions(), new ChatClientOptions().Generation, ChatTemplate.Plain).Options.Temperature);

        ChatRequest Read(ChatOptions options, GenerationOptions defaults, ChatTemplate template) =>
            ChatRequest.Read(Hello, options, defaults, template, gpt.Config, gpt.Tokenizer);
    }

    [Fact]
    public async Task What_the_interface_has_no_word_for_comes_through_the_raw_representation()
    {
        using var gpt = GPT.FromPretrained(Folder);
        using var chat = gpt.AsChatClient(Plain);
        var options = new ChatOptions { MaxOutputTokens = 5, RawRepresentationFactory = _ => new GenerationOptions { Temperature = 0, LogProbabilities = 3 } };

        var updates = await chat.GetStreamingResponseAsync(Hello, options).ToListAsync();

        var tokens = updates.Select(update => update.RawRepresentation).OfType<GeneratedToken>().ToList();
        Assert.Equal(5, tokens.Count);
        Assert.All(tokens, token => Assert.Equal(token.Top[0].LogProbability, token.LogProbability)); // greedy takes the likeliest
        Assert.Equal(gpt.Generate("Hello", new() { MaxNewTokens = 5, Temperature = 0 }), string.Concat(updates));
    }

    [Fact]
    public async Task An_answer_ends_at_the_template_s_mark_which_is_not_part_of_it()
    {
        const string Prompt = "<human>Hello<endOfText><bot>";
        using var scripted = new ScriptedGpt(Prompt, "Hi, 🦜!<endOfText>");
        using var chat = scripted.Gpt.AsChatClient(new() { ModelId = "parrot" });
        var answer = Tokenizer.Gpt2.Encode("Hi, 🦜!<endOfText>").Count;

        var updates = await chat.GetStreamingResponseAsync(Hello, new() { MaxOutputTokens = 13, Temperature = 0 }).ToListAsync();
        var response = updates.ToChatResponse();

        Assert.Equal("Hi, 🦜!", response.Text);
        Assert.Contains(updates, update => update.Text.Contains("🦜", StringComparison.Ordinal)); // whole, though of several tokens
        Assert.Equal((ChatFinishReason.Stop, "parrot"), (response.FinishReason, response.ModelId));
        Assert.Equal((Tokenizer.Gpt2.Encode(Prompt).Count, answer), ((int)response.Usage!.InputTokenCount!, (int)response.Usage.OutputTokenCount!));
        Assert.Equal(response.Usage.InputTokenCount + response.Usage.OutputTokenCount, response.Usage.TotalTokenCount);
        Assert.NotNull(response.CreatedAt);
        Assert.Single(updates.Select(update => update.ResponseId).Distinct());
        Assert.NotEqual(response.ResponseId, (await chat.GetResponseAsync(Hello)).ResponseId);

        var cut = await chat.GetResponseAsync(Hello, new() { MaxOutputTokens = 2, Temperature = 0 });
        Assert.Equal(("Hi,", ChatFinishReason.Length), (cut.Text, cut.FinishReason));
    }

    public static TheoryData<string, ChatOptions> Refused => new()
    {
        { "Tools", new() { Tools = [AIFunctionFactory.Create(() => 1, "one")] } },
        { "ResponseFormat", new() { ResponseFormat = ChatResponseFormat.Json } },
        { "ConversationId", new() { ConversationId = "7" } },
        { "ContinuationToken", new() { ContinuationToken = ResponseContinuationToken.FromBytes(new byte[] { 7 }) } },
        { "ModelId", new() { ModelId = "gpt-5" } },
        { "Temperature is -1", new() { Temperature = -1 } },
        { "TopP is 0", new() { TopP = 0 } },
        { "StopStrings has an empty text", new() { StopSequences = [""] } },
    };

    [Theory]
    [MemberData(nameof(Refused), DisableDiscoveryEnumeration = true)]
    public async Task What_cannot_be_done_is_refused(string reason, ChatOptions options)
    {
        using var gpt = GPT.FromPretrained(Folder);
        using var chat = gpt.AsChatClient(new() { ModelId = "gpt2" });
        var error = await Assert.ThrowsAnyAsync<ArgumentException>(() => chat.GetResponseAsync(Hello, options));
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);

        // What asks for nothing special is none of that.
        var ordinary = new ChatOptions { MaxOutputTokens = 1, ResponseFormat = ChatResponseFormat.Text, ModelId = "gpt2", Tools = [], AllowBackgroundResponses = true };
        Assert.Null((await chat.GetResponseAsync(Hello, ordinary)).ContinuationToken); // allowed in the background, done in the foreground
    }

    [Fact]
    public async Task Messages_that_are_no_text_are_refused()
    {
        using var gpt = GPT.FromPretrained(Folder);
        using var chat = gpt.AsChatClient();
        await Assert.ThrowsAnyAsync<ArgumentException>(() => chat.GetResponseAsync([]));
        await Assert.ThrowsAnyAsync<ArgumentException>(() => chat.GetResponseAsync([new(ChatRole.Tool, "42")]));
        var picture = new ChatMessage(ChatRole.User, [new TextContent("What is it?"), new DataContent("data:image/png;base64,AAAA")]);
        Assert.Contains("DataContent", (await Assert.ThrowsAnyAsync<ArgumentException>(() => chat.GetResponseAsync([picture]))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_vocabulary_without_the_marks_is_told_apart_from_a_wrong_question()
    {
        using var folder = new TemporaryFolder();
        foreach (var file in Directory.GetFiles(Vectors.Path("tiny-gpt2", "prefixed-tied"))) File.Copy(file, folder.File(Path.GetFileName(file)));
        CharacterTokenizer.FromText("Helo ").Save(folder.Path);
        using var gpt = GPT.FromPretrained(folder.Path);

        var error = await Assert.ThrowsAnyAsync<ArgumentException>(() => gpt.AsChatClient().GetResponseAsync(Hello));
        Assert.Contains("' cannot be written in this model's vocabulary", error.Message, StringComparison.Ordinal);
        Assert.NotEmpty((await gpt.AsChatClient(Plain).GetResponseAsync(Hello)).Text);
    }

    [Fact]
    public async Task Cancelling_stops_within_one_token()
    {
        using var gpt = GPT.FromPretrained(Folder);
        using var chat = gpt.AsChatClient(Plain);
        using var stop = new CancellationTokenSource();
        var seen = 0;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            var options = new ChatOptions { MaxOutputTokens = 1000, RawRepresentationFactory = _ => new GenerationOptions { LogProbabilities = 0, StopAtEndOfText = false } };
            await foreach (var _ in chat.GetStreamingResponseAsync(Hello, options, stop.Token))
            {
                if (++seen == 5) await stop.CancelAsync();
            }
        });
        Assert.Equal(5, seen);
    }

    [Fact]
    public async Task Concurrent_chats_give_what_each_gives_alone()
    {
        using var gpt = GPT.FromPretrained(Folder);
        using var chat = gpt.AsChatClient();
        Task<ChatResponse> Ask(int i) => chat.GetResponseAsync([new(ChatRole.User, $"number {i % 5}")], new() { Seed = i, MaxOutputTokens = 5 + i % 7 });
        var alone = new List<string>();
        for (var i = 0; i < 32; i++) alone.Add((await Ask(i)).Text);

        var together = await Task.WhenAll(Enumerable.Range(0, 32).Select(i => Task.Run(() => Ask(i))));

        Assert.Equal(alone, together.Select(answer => answer.Text));
    }

    [Fact]
    public async Task It_tells_what_is_behind_it_and_leaves_what_is_shared_alone()
    {
        using var gpt = GPT.FromPretrained(Folder);
        using var generator = new Generator(gpt);
        var chat = gpt.AsChatClient(new() { ModelId = "tiny", Generator = generator });
        Assert.Same(gpt, chat.GetService<GPT>());
        Assert.Same(generator, chat.GetService<Generator>());
        Assert.Same(chat, chat.GetService<IChatClient>());
        Assert.Equal(("nanogpt", "tiny"), (chat.GetService<ChatClientMetadata>()!.ProviderName, chat.GetService<ChatClientMetadata>()!.DefaultModelId));
        Assert.Null(chat.GetService(typeof(IChatClient), "key"));
        Assert.Null(chat.GetService<Uri>());
        chat.Dispose();
        Assert.NotEmpty(await generator.GenerateAsync("x", new() { MaxNewTokens = 2 }));
    }
}
