using Microsoft.Extensions.AI;
using NanoGpt.Chat;
using NanoGpt.Inference;
using NanoGpt.Tests.Inference;

namespace NanoGpt.Tests.Chat;

/// <summary>A prompt is computed once: what comes later with the same beginning costs only what is new.</summary>
public sealed class KeptContextTests
{
    private static readonly string Folder = Vectors.Path("tiny-gpt2", "vocab50257");
    private static readonly ChatOptions Greedy = new() { MaxOutputTokens = 5, Temperature = 0 };

    [Fact]
    public async Task The_next_turn_computes_only_what_is_new()
    {
        using var gpt = GPT.FromPretrained(Folder);
        using var chat = gpt.AsChatClient();
        var conversation = new Conversation();
        long before = 0;
        foreach (var question in new[] { "one", "two", "three" })
        {
            conversation.Add(ChatRole.User, question);
            var answer = await chat.GetResponseAsync(conversation.ToMessages(), Greedy);
            conversation.Add(ChatRole.Assistant, answer.Text);

            var usage = answer.Usage!;
            if (before > 0) Assert.InRange((long)usage.CachedInputTokenCount!, before, (long)usage.InputTokenCount! - 1);
            else Assert.Equal(0, usage.CachedInputTokenCount);
            before = (long)usage.InputTokenCount! - 1; // all of this prompt is known next time, but for where its text ends in a token
        }
    }

    [Fact]
    public async Task Conversations_that_take_turns_do_not_take_each_other_s_context()
    {
        using var gpt = GPT.FromPretrained(Folder);
        using var chat = gpt.AsChatClient();
        string[] questions = ["apples and pears", "trains", "mountains"];
        var prompts = new long[questions.Length];
        for (var round = 0; round < 3; round++)
        {
            for (var i = 0; i < questions.Length; i++)
            {
                var usage = (await chat.GetResponseAsync([new(ChatRole.User, questions[i] + string.Concat(Enumerable.Repeat(", more", round)))], Greedy)).Usage!;
                if (round > 0) Assert.True(usage.CachedInputTokenCount > prompts[i] / 2, $"{usage.CachedInputTokenCount} of {usage.InputTokenCount}");
                prompts[i] = (long)usage.InputTokenCount!;
            }
        }
    }

    [Fact]
    public void What_is_said_to_be_reused_is_what_is_not_computed()
    {
        using var weights = TinyModels.Open("prefixed-tied");
        using var model = InferenceModel.Create(weights);
        var random = new Random(5);
        for (var i = 0; i < 200; i++)
        {
            using var session = model.CreateSession();
            var old = Enumerable.Range(0, random.Next(1, 80)).Select(_ => random.Next(3)).ToList();
            session.Prefill([.. old]);
            var wanted = old.Take(random.Next(old.Count + 1)).Concat(Enumerable.Range(0, random.Next(1, 30)).Select(_ => random.Next(3))).ToList();

            var reused = session.ReusableLength(wanted);
            var computed = session.ContinueTo(wanted).Ids.Length;

            Assert.Equal(Math.Min(wanted.Count, model.Config.BlockSize), reused + computed);
        }
    }
}
