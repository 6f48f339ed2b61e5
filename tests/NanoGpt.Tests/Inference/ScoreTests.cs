using NanoGpt.Tokenization;

namespace NanoGpt.Tests.Inference;

/// <summary>Log probabilities of given and of generated texts.</summary>
public sealed class ScoreTests : IDisposable
{
    private readonly Generators _generators = new();

    public void Dispose() => _generators.Dispose();

    [Fact]
    public void Log_probabilities_of_a_generated_text_equal_its_score()
    {
        var generator = _generators.New(TinyModels.Open("vocab50257"), Tokenizer.Gpt2);
        var result = generator.GenerateResults("Hello", new GenerationOptions { MaxNewTokens = 20, Seed = 4, LogProbabilities = 5, RepetitionPenalty = 1.5 })[0];
        var score = generator.Score([.. Tokenizer.Gpt2.Encode("Hello"), .. result.Ids]);

        foreach (var (token, scored) in result.Tokens.Zip(score.Tokens.Skip(result.PromptTokens)))
        {
            Assert.Equal(scored.Id, token.Id);
            Assert.Equal(scored.LogProbability, token.LogProbability!.Value, 5);
            Assert.Equal(5, token.Top.Count);
            Assert.Equal(token.Top.OrderByDescending(top => top.LogProbability), token.Top);
            Assert.True(token.LogProbability <= token.Top[0].LogProbability);
        }
    }

    [Fact]
    public void Scores_of_a_long_text_use_a_window_that_slides()
    {
        var generator = _generators.New(TinyModels.Open("prefixed-tied"));
        var random = new Random(2);
        var ids = Enumerable.Range(0, 150).Select(_ => random.Next(1000)).ToArray();
        foreach (var stride in new[] { 1, 20, 63 })
        {
            var score = generator.Score(ids, stride);
            Assert.Equal(150, score.Tokens.Count);
            Assert.Equal(149, score.Count);

            // By hand: the window that scores position i, and the scores of that window alone.
            for (var i = 1; i < ids.Length; i += 7)
            {
                var start = i <= 64 ? 0 : (i - 65) / stride * stride + stride;
                var window = generator.Score(ids.AsSpan(start, Math.Min(65, ids.Length - start)).ToArray(), stride);
                Assert.Equal(window.Tokens[i - start].LogProbability, score.Tokens[i].LogProbability, 5);
            }
        }

        Assert.True(double.IsNaN(generator.Score([1]).Tokens[0].LogProbability));
        Assert.Throws<ArgumentOutOfRangeException>(() => generator.Score(ids, 65));
        Assert.Throws<ArgumentOutOfRangeException>(() => generator.Score(ids, 0));
    }
}
