using System.Text.Json;
using NanoGpt.Tokenization;

namespace NanoGpt.Tests.Inference;

/// <summary>Prompt to text: ends, pieces, seeds, concurrency.</summary>
public sealed class GeneratorTests : IDisposable
{
    private static readonly GenerationOptions Greedy = new() { Temperature = 0, StopAtEndOfText = false };
    private readonly Generators _generators = new();

    public void Dispose() => _generators.Dispose();

    [Fact]
    public void Greedy_text_equals_that_of_transformers()
    {
        var generator = _generators.New(TinyModels.Open("vocab50257"), Tokenizer.Gpt2);
        using var json = JsonDocument.Parse(File.ReadAllText(Vectors.Path("tiny-gpt2", "vocab50257", "generate.json")));

        foreach (var entry in json.RootElement.GetProperty("greedy").EnumerateArray())
        {
            var prompt = entry.GetProperty("prompt_text").GetString()!;
            var output = entry.GetProperty("output").EnumerateArray().Select(id => id.GetInt32()).ToArray();
            var options = Greedy with { MaxNewTokens = entry.GetProperty("max_new_tokens").GetInt32() };

            var result = generator.GenerateResults(prompt, options)[0];

            Assert.Equal(output[result.PromptTokens..], result.Ids);
            Assert.Equal(Tokenizer.Gpt2.Decode(result.Ids), result.Text);
            Assert.Equal(FinishReason.Length, result.FinishReason);
        }
    }

    [Fact]
    public async Task Streams_give_the_same_text_in_pieces()
    {
        var generator = _generators.New(TinyModels.Open("vocab50257"), Tokenizer.Gpt2);
        foreach (var seed in Enumerable.Range(0, 10))
        {
            // Nearly flat logits: bytes of all kinds, characters broken anywhere.
            var options = new GenerationOptions { MaxNewTokens = 40, Temperature = 3, TopK = 0, Seed = seed };
            var whole = generator.Generate("Hello", options);

            Assert.Equal(whole, string.Concat(generator.GenerateStreaming("Hello", options)));
            Assert.Equal(whole, await generator.GenerateAsync("Hello", options));
            var pieces = new List<string>();
            await foreach (var piece in generator.GenerateStreamingAsync("Hello", options)) pieces.Add(piece);
            Assert.Equal(whole, string.Concat(pieces));
            Assert.DoesNotContain("", pieces);
        }
    }

    [Fact]
    public void An_emoji_over_four_tokens_comes_as_one_piece()
    {
        var text = "so 🦜 flies";
        var ids = Tokenizer.Gpt2.Encode(text);
        var generator = Scripted(text);

        var pieces = generator.GenerateStreaming("x", Greedy with { MaxNewTokens = ids.Count }).ToList();

        Assert.Equal(text, string.Concat(pieces));
        Assert.Contains(pieces, piece => piece.Contains("🦜", StringComparison.Ordinal));
        Assert.True(pieces.Count < ids.Count);
    }

    [Theory]
    [InlineData("one two END three", "END", "one two ")]
    [InlineData("a<endOfText>b", "<endOfText>", "a")]
    [InlineData("so 🦜 flies", "🦜", "so ")]
    [InlineData("nothing here", "stop", "nothing here")]
    [InlineData("almost <endOf", "<endOfText>", "almost <endOf")]
    public void A_stop_string_over_several_tokens_is_never_shown(string script, string stop, string expected)
    {
        var ids = Tokenizer.Gpt2.Encode(script);
        Assert.True(stop == "stop" || stop == "END" || Tokenizer.Gpt2.Encode(stop).Count >= 3);
        var options = Greedy with { MaxNewTokens = ids.Count, StopStrings = ["~~~", stop] };

        var shown = "";
        foreach (var piece in Scripted(script).GenerateStreaming("x", options))
        {
            shown += piece;
            Assert.StartsWith(shown, expected, StringComparison.Ordinal);
        }

        Assert.Equal(expected, shown);
        var result = Scripted(script).GenerateResults("x", options)[0];
        Assert.Equal(expected, result.Text);
        Assert.Equal(script == expected ? FinishReason.Length : FinishReason.StopString, result.FinishReason);
    }

    [Fact]
    public void End_of_text_and_stop_ids_end_the_text_and_are_not_in_it()
    {
        int[] script = [.. Tokenizer.Gpt2.Encode("one two"), 50256, .. Tokenizer.Gpt2.Encode(" three")];
        var generator = _generators.New(MadeModels.Scripted(50257, script), Tokenizer.Gpt2);

        var result = generator.GenerateResults("x", Greedy with { StopAtEndOfText = true })[0];
        Assert.Equal(("one two", FinishReason.EndOfText, 50256), (result.Text, result.FinishReason, result.Ids[^1]));

        result = generator.GenerateResults("x", Greedy with { StopIds = [script[1]] })[0];
        Assert.Equal(("one", FinishReason.StopId), (result.Text, result.FinishReason));

        // Not before the minimum: the second most likely is taken there.
        result = generator.GenerateResults("x", Greedy with { StopAtEndOfText = true, MinNewTokens = 4, MaxNewTokens = 4 })[0];
        Assert.Equal(FinishReason.Length, result.FinishReason);
        Assert.DoesNotContain(50256, result.Ids);
    }

    [Fact]
    public void Text_cannot_forge_the_end_of_text_in_a_prompt_unless_it_may()
    {
        var generator = _generators.New(TinyModels.Open("vocab50257"), Tokenizer.Gpt2);

        Assert.True(generator.GenerateResults("<|endoftext|>", Greedy with { MaxNewTokens = 0 })[0].PromptTokens > 1);
        Assert.Equal(1, generator.GenerateResults("<|endoftext|>", Greedy with { MaxNewTokens = 0, AllowSpecialTokens = true })[0].PromptTokens);
    }

    [Fact]
    public void Cancelling_stops_within_one_token()
    {
        var generator = _generators.New(TinyModels.Open("prefixed-tied"));
        var random = new Random(1);
        for (var i = 0; i < 100; i++)
        {
            using var source = new CancellationTokenSource();
            var last = random.Next(1, 50);
            var seen = 0;
            Assert.ThrowsAny<OperationCanceledException>(() =>
            {
                foreach (var _ in generator.StreamTokens([1, 2, 3], Greedy with { MaxNewTokens = 60 }, source.Token))
                {
                    if (++seen == last) source.Cancel();
                }
            });
            Assert.Equal(last, seen);
        }

        // And the generator is none the worse.
        Assert.Equal(60, generator.GenerateTokens([1, 2, 3], Greedy with { MaxNewTokens = 60 }).Count);
    }

    [Fact]
    public void Several_sequences_of_one_prompt_differ_and_repeat_with_the_seed()
    {
        var generator = _generators.New(TinyModels.Open("untied"));
        var options = new GenerationOptions { MaxNewTokens = 12, Seed = 7, ReturnSequences = 3 };

        var first = generator.Continue([5, 6], options);
        var again = generator.Continue([5, 6], options);

        Assert.Equal(first.Select(result => result.Ids), again.Select(result => result.Ids));
        Assert.Equal(3, first.Select(result => string.Join(",", result.Ids)).Distinct().Count());
        Assert.Equal(generator.GenerateTokens([5, 6], options with { ReturnSequences = 1 }), first[0].Ids);
    }

    [Fact]
    public void Prompts_in_a_batch_give_what_each_gives_alone()
    {
        var generator = _generators.New(TinyModels.Open("vocab50257"), Tokenizer.Gpt2);
        string[] prompts = ["a", "The quick brown fox", "\n", "12345 67890 and so on and so forth", "🦜"];
        var options = new GenerationOptions { MaxNewTokens = 30, Seed = 3, TopP = 0.9 };

        var batch = generator.GenerateBatch(prompts, options);

        Assert.Equal(prompts.Select(prompt => generator.Generate(prompt, options)), batch.Select(result => result.Text));
    }

    [Fact]
    public async Task Concurrent_generations_give_what_each_gives_alone()
    {
        var generator = _generators.New(TinyModels.Open("vocab50257"), Tokenizer.Gpt2, new GeneratorLimits { MaxConcurrent = 10 });
        GenerationOptions OptionsOf(int i) => new() { MaxNewTokens = 10 + i, Seed = i, TopK = 50 };
        var alone = Enumerable.Range(0, 24).Select(i => generator.Generate($"number {i % 7}", OptionsOf(i))).ToArray();

        var together = await Task.WhenAll(Enumerable.Range(0, 24).Select(i => Task.Run(async () => (i % 3) switch
        {
            0 => await generator.GenerateAsync($"number {i % 7}", OptionsOf(i)),
            1 => generator.Generate($"number {i % 7}", OptionsOf(i)),
            _ => string.Concat(generator.GenerateStreaming($"number {i % 7}", OptionsOf(i))),
        })));

        Assert.Equal(alone, together);
    }

    [Fact]
    public async Task One_more_than_the_limits_allow_is_refused_and_the_others_are_served_in_turn()
    {
        var generator = _generators.New(TinyModels.Open("prefixed-tied"), null, new GeneratorLimits { MaxConcurrent = 1, MaxQueued = 1 });
        using var running = generator.StreamTokens([1], Greedy).GetEnumerator();
        Assert.True(running.MoveNext());

        var waiting = Task.Run(() => generator.GenerateTokens([2], Greedy));
        while (generator.Waiting == 0) await Task.Delay(1);
        var error = Assert.Throws<GeneratorBusyException>(() => generator.GenerateTokens([3], Greedy));
        Assert.Contains("MaxQueued 1", error.Message, StringComparison.Ordinal);

        Assert.False(waiting.IsCompleted);
        running.Dispose();
        Assert.Equal(100, (await waiting).Count);

        // A place in the queue that is given up by cancelling is free again.
        using var second = generator.StreamTokens([1], Greedy).GetEnumerator();
        Assert.True(second.MoveNext());
        using var source = new CancellationTokenSource();
        var cancelled = Task.Run(() => generator.GenerateTokens([2], Greedy, source.Token));
        while (generator.Waiting == 0) await Task.Delay(1);
        await source.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled);
        Assert.Equal(0, generator.Waiting);
    }

    [Fact]
    public void Limits_that_are_none_are_all_named()
    {
        var message = Assert.Throws<ArgumentException>(new GeneratorLimits { MaxConcurrent = 0, MaxQueued = -1, KeptContexts = -2 }.Validate).Message;
        Assert.All(["MaxConcurrent is 0", "MaxQueued is -1", "KeptContexts is -2"], fault => Assert.Contains(fault, message, StringComparison.Ordinal));
    }

    [Fact]
    public void Kept_contexts_change_nothing_but_the_time()
    {
        var with = _generators.New(TinyModels.Open("prefixed-tied"), null, new GeneratorLimits { KeptContexts = 2 });
        var without = _generators.New(TinyModels.Open("prefixed-tied"), null, new GeneratorLimits { KeptContexts = 0 });
        var random = new Random(6);
        int[] history = [1];
        for (var turn = 0; turn < 40; turn++)
        {
            // Turns of a chat, sometimes another one, sometimes an edit, past the context too.
            var prompt = random.Next(4) switch
            {
                0 => Enumerable.Range(0, random.Next(1, 90)).Select(_ => random.Next(1000)).ToArray(),
                1 => history[..random.Next(1, history.Length + 1)],
                _ => [.. history, random.Next(1000)],
            };
            var options = new GenerationOptions { MaxNewTokens = random.Next(0, 12), Seed = turn };
            var ids = with.GenerateTokens(prompt, options);
            Assert.Equal(without.GenerateTokens(prompt, options), ids);
            history = [.. prompt, .. ids];
        }
    }

    [Fact]
    public void Ids_beyond_the_vocabulary_of_the_tokenizer_are_never_generated()
    {
        // As nanoGPT's models: 50304 embeddings, 50257 tokens.
        var generator = _generators.New(MadeModels.Scripted(50304, [50300, 50257, 50303]), Tokenizer.Gpt2);

        Assert.All(generator.GenerateTokens([1], Greedy with { MaxNewTokens = 3 }), id => Assert.True(id < 50257));
    }

    [Fact]
    public void Bad_words_are_not_said_with_or_without_a_space()
    {
        var generator = Scripted("a damn good hell of a day");
        var text = generator.Generate("x", Greedy with { MaxNewTokens = 8, BadWords = ["damn", "hell"] });

        Assert.DoesNotContain("damn", text, StringComparison.Ordinal);
        Assert.DoesNotContain("hell", text, StringComparison.Ordinal);
        Assert.Contains("good", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Mistakes_are_told_before_anything_runs()
    {
        var generator = _generators.New(TinyModels.Open("vocab50257"), Tokenizer.Gpt2);
        var withoutText = _generators.New(TinyModels.Open("prefixed-tied"));

        Assert.Contains("prompt is empty", Assert.Throws<ArgumentException>(() => generator.Generate("")).Message, StringComparison.Ordinal);
        Assert.Contains("TopK is -1", Assert.Throws<ArgumentException>(() => generator.GenerateStreaming("a", new() { TopK = -1 })).Message, StringComparison.Ordinal);
        Assert.Contains("StopIds has 50257", Assert.Throws<ArgumentException>(() => generator.Generate("a", new() { StopIds = [50257] })).Message, StringComparison.Ordinal);
        Assert.Contains("Beams", Assert.Throws<ArgumentException>(() => generator.GenerateStreamingAsync("a", new() { Beams = 2 })).Message, StringComparison.Ordinal);
        Assert.Contains("no vocabulary", Assert.Throws<ModelFormatException>(() => withoutText.Generate("a")).Message, StringComparison.Ordinal);
        Assert.Contains("StopIds", Assert.Throws<ArgumentException>(() => withoutText.GenerateTokens([1], new() { StopStrings = ["a"] })).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => withoutText.GenerateTokens([1000]));
    }

    private Generator Scripted(string text) => _generators.New(MadeModels.Scripted(50257, Tokenizer.Gpt2.Encode(text)), Tokenizer.Gpt2);
}
