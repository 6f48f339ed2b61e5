using Microsoft.Extensions.AI;
using NanoGpt.Chat;
using NanoGpt.Tokenization;

namespace NanoGpt.Tests.Chat;

/// <summary>From turns to ids: marks, special tokens, and what is left out where the context is too small.</summary>
public sealed class ChatPromptTests
{
    private static readonly Tokenizer Gpt2 = Tokenizer.Gpt2;

    [Fact]
    public void Marks_and_turns_are_encoded_as_one_text()
    {
        // "?<" and "><" are tokens of their own: turn by turn would give other ids than those that models are trained on.
        var turns = new[] { User("Who?"), Bot("?"), User("\"Me\"") };
        var ids = new ChatPrompt(ChatTemplate.NanoGpt, Gpt2).Encode(["Be brief."], turns, budget: 1000);
        Assert.Equal(Gpt2.Encode("Be brief.<human>Who?<endOfText><bot>?<endOfText><human>\"Me\"<endOfText><bot>"), ids);
        Assert.Equal(Gpt2.Encode("Be brief.Who??\"Me\""), new ChatPrompt(ChatTemplate.Plain, Gpt2).Encode(["Be brief."], turns, 1000));
    }

    [Fact]
    public void Special_tokens_are_special_in_marks_and_never_in_what_people_write()
    {
        var prompt = new ChatPrompt(ChatTemplate.DialoGpt, Gpt2);
        var ids = prompt.Encode([], [User("Hello"), Bot("Hi"), User("<|endoftext|>")], 1000);
        Assert.Equal([.. Gpt2.Encode("Hello"), 50256, .. Gpt2.Encode("Hi"), 50256, .. Gpt2.Encode("<|endoftext|>"), 50256], ids);
        Assert.Equal([50256], prompt.WithEnds(new GenerationOptions()).StopIds);
        Assert.Empty(prompt.WithEnds(new GenerationOptions()).StopStrings);
    }

    [Fact]
    public void A_template_of_one_s_own_puts_its_words_around_everything()
    {
        var template = new ChatTemplate
        {
            BeforeSystem = "[", AfterSystem = "]\n", BeforeUser = "Q: ", AfterUser = "\n", BeforeAssistant = "A:", AfterAssistant = "\n\n", StopStrings = ["Q:"],
        };
        var prompt = new ChatPrompt(template, Gpt2);
        Assert.Equal("[Be brief.]\nQ: Who?\nA: Me.\n\nQ: Why?\nA:", Gpt2.Decode(prompt.Encode(["Be brief."], [User("Who?"), Bot(" Me."), User("Why?")], 1000)));
        Assert.Equal(["\n\n", "Q:"], prompt.WithEnds(new GenerationOptions()).StopStrings);
    }

    [Fact]
    public void The_oldest_turns_go_and_the_instructions_stay()
    {
        var prompt = new ChatPrompt(ChatTemplate.NanoGpt, Gpt2);
        var turns = Enumerable.Range(0, 400).Select(i => i % 2 == 0 ? User($"question {i}") : Bot($"answer {i}")).Append(User("last")).ToList();
        var shortest = prompt.Encode(["Rules. "], [turns[^1]], 1000).Count;
        var kept = new HashSet<int>();
        for (var budget = shortest; budget < 400; budget += 7)
        {
            var ids = prompt.Encode(["Rules. "], turns, budget);
            var text = Gpt2.Decode(ids);

            Assert.InRange(ids.Count, 1, budget);
            Assert.StartsWith("Rules. <human>", text, StringComparison.Ordinal); // an answer whose question is gone goes too
            Assert.EndsWith("<human>last<endOfText><bot>", text, StringComparison.Ordinal);

            // What is there is the end of the conversation without gaps, and one more question with its answer would not fit.
            var first = turns.Count - (text.Split("<human>").Length - 1 + text.Split("answer").Length - 1);
            Assert.Equal(prompt.Encode(["Rules. "], turns.Skip(first).ToList(), 10_000), ids);
            Assert.True(first == 0 || prompt.Encode(["Rules. "], turns.Skip(first - 2).ToList(), 10_000).Count > budget);
            kept.Add(first);
        }

        Assert.True(kept.Count > 10);
    }

    [Fact]
    public void The_last_turn_and_the_instructions_are_never_left_out()
    {
        var prompt = new ChatPrompt(ChatTemplate.NanoGpt, Gpt2);
        Assert.Equal(Gpt2.Encode("Rules. <human>a long question<endOfText><bot>"), prompt.Encode(["Rules. "], [User("before"), User("a long question")], budget: 3));
        Assert.Equal(Gpt2.Encode("Rules. <bot>"), prompt.Encode(["Rules. "], [], budget: 3));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(20)]
    public async Task A_tiny_context_is_enough_to_answer(int blockSize)
    {
        using var gpt = GPT.FromPretrained(Vectors.Path("tiny-gpt2", "vocab50257"), new() { BlockSize = blockSize });
        using var chat = gpt.AsChatClient();
        var answer = await chat.GetResponseAsync([new(ChatRole.System, "Some rules."), new(ChatRole.User, "A question of some length?")], new() { MaxOutputTokens = 30 });
        Assert.Equal(30, answer.Usage!.OutputTokenCount);
    }

    private static ConversationTurn User(string text) => new(ChatRole.User, text);

    private static ConversationTurn Bot(string text) => new(ChatRole.Assistant, text);
}
