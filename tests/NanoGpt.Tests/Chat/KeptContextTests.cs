using Microsoft.Extensions.AI;
using NanoGpt.Chat;
using NanoGpt.Inference;
using NanoGpt.Tests.Inference;

namespace NanoGpt.Tests.Chat;

/// <summary>A prompt is computed once: what comes later with the same beginning costs only what is new.</summary>
public sealed class KeptContextTests
{
    private static readonly string Folder = Vectors.Path("tiny-gpt2", "vocab50257");
    private static readonly ChatOptions Greedy = new() { MaxOutputTokens = 3, Temperature = 0 };

    [Theory]
    [InlineData(1)]
    [InlineData(3)] // that take turns, and begin alike: none loses its context to another
    public async Task The_next_turn_computes_only_what_is_new(int count)
    {
        using var gpt = GPT.FromPretrained(Folder);
        using var chat = gpt.AsChatClient();
        var conversations = Enumerable.Range(0, count).Select(_ => new Conversation()).ToList();
        var known = new long[count];
        foreach (var question in new[] { "Who?", "Why?", "When?" })
        {
            for (var i = 0; i < count; i++)
            {
                conversations[i].Add(ChatRole.User, $"{(char)('A' + i)} {question}");
                var answer = await chat.GetResponseAsync(conversations[i].ToMessages(), Greedy);
                conversations[i].Add(ChatRole.Assistant, answer.Text);

                var usage = answer.Usage!;
                Assert.InRange((long)usage.CachedInputTokenCount!, known[i], (long)usage.InputTokenCount! - 1);
                known[i] = (long)usage.InputTokenCount! - 1; // its last token, ">", may become another with what follows
            }
        }

        Assert.All(known, length => Assert.True(length > 20));
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
