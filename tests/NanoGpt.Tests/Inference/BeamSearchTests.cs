namespace NanoGpt.Tests.Inference;

/// <summary>Beam search against a search through all texts.</summary>
public sealed class BeamSearchTests : IDisposable
{
    private static readonly GenerationOptions Greedy = new() { Temperature = 0, StopAtEndOfText = false };
    private readonly Generators _generators = new();

    public void Dispose() => _generators.Dispose();

    [Fact]
    public void Beams_find_the_likeliest_text_where_they_can_see_all()
    {
        var config = new GPTConfig { VocabSize = 5, BlockSize = 16, NLayer = 1, NHead = 2, NEmbd = 8, EosTokenId = null };
        var generator = _generators.New(MadeModels.Random(config, seed: 9, scale: 0.7));
        var options = Greedy with { MaxNewTokens = 3, Beams = 64, ReturnSequences = 10, LengthPenalty = 0 };

        var all = (from a in Enumerable.Range(0, 5) from b in Enumerable.Range(0, 5) from c in Enumerable.Range(0, 5) select new[] { 1, a, b, c })
            .Select(ids => (Ids: ids[1..], LogProbability: generator.Score(ids).Tokens.Skip(1).Sum(token => token.LogProbability)))
            .OrderByDescending(text => text.LogProbability).Take(10).ToList();
        var found = generator.Continue([1], options);

        Assert.Equal(all.Select(text => text.Ids), found.Select(text => text.Ids));
        foreach (var (expected, actual) in all.Zip(found)) Assert.Equal(expected.LogProbability, actual.BeamScore!.Value, 4);

        // One beam wide enough for nothing is the greedy text.
        Assert.Equal(generator.GenerateTokens([1], Greedy with { MaxNewTokens = 6 }), generator.Continue([1], Greedy with { MaxNewTokens = 6, Beams = 1 })[0].Ids);
    }

    [Fact]
    public void Beams_end_at_the_end_of_text_and_weigh_length()
    {
        var config = new GPTConfig { VocabSize = 5, BlockSize = 16, NLayer = 1, NHead = 2, NEmbd = 8, EosTokenId = 4 };
        var generator = _generators.New(MadeModels.Random(config, seed: 9, scale: 0.7));
        var options = Greedy with { MaxNewTokens = 4, Beams = 64, ReturnSequences = 1, StopAtEndOfText = true };

        foreach (var penalty in new[] { 0.0, 1, 3 })
        {
            var best = AllTexts(4, 4).Select(ids => (ids, Score: generator.Score([1, .. ids]).LogProbability / Math.Pow(ids.Length, penalty))).MaxBy(text => text.Score);
            var found = generator.Continue([1], options with { LengthPenalty = penalty })[0];
            Assert.Equal(best.ids, found.Ids);
            Assert.Equal(best.Score, found.BeamScore!.Value, 4);
            Assert.Equal(best.ids[^1] == 4 ? FinishReason.EndOfText : FinishReason.Length, found.FinishReason);
        }
    }

    [Fact]
    public void Beams_that_stop_early_miss_what_comes_late()
    {
        var config = new GPTConfig { VocabSize = 5, BlockSize = 16, NLayer = 1, NHead = 2, NEmbd = 8, EosTokenId = 4 };
        var patient = Greedy with { MaxNewTokens = 8, Beams = 2, StopAtEndOfText = true };
        var missed = 0;
        for (var seed = 0; seed < 20; seed++)
        {
            var generator = _generators.New(MadeModels.Random(config, seed, scale: 0.7));
            var (all, early) = (generator.Continue([1], patient)[0], generator.Continue([1], patient with { EarlyStopping = true })[0]);
            Assert.True(early.BeamScore <= all.BeamScore, $"seed {seed}: {early.BeamScore} after stopping early, {all.BeamScore} after all");
            if (early.BeamScore < all.BeamScore) missed++;
        }

        Assert.InRange(missed, 1, 19);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Beams_with_nothing_to_generate_give_as_many_empty_texts_as_asked_for(int count)
    {
        var generator = _generators.New(TinyModels.Open("prefixed-tied"));

        var found = generator.Continue([1, 2], Greedy with { MaxNewTokens = 0, Beams = 3, ReturnSequences = count });

        Assert.Equal(count, found.Count);
        Assert.All(found, text => Assert.Equal(("", 0, FinishReason.Length, 0.0), (text.Text, text.Tokens.Count, text.FinishReason, text.BeamScore)));
        Assert.Equal(count, generator.Continue([1, 2], Greedy with { MaxNewTokens = 0, ReturnSequences = count }).Count);
    }

    [Fact]
    public void Beams_give_fewer_texts_only_where_there_are_no_more()
    {
        var config = new GPTConfig { VocabSize = 2, BlockSize = 8, NLayer = 1, NHead = 1, NEmbd = 4, EosTokenId = null };
        var generator = _generators.New(MadeModels.Random(config, seed: 1, scale: 0.7));
        var options = Greedy with { Beams = 8, ReturnSequences = 8 };

        Assert.Equal(2, generator.Continue([1], options with { MaxNewTokens = 1 }).Count);
        Assert.Equal(8, generator.Continue([1], options with { MaxNewTokens = 3 }).Select(text => string.Concat(text.Ids)).Distinct().Count());
    }

    /// <summary>All texts of at most so many tokens over ids 0..end that end at the end id or at the length.</summary>
    private static IEnumerable<int[]> AllTexts(int length, int end)
    {
        IEnumerable<int[]> texts = [[]];
        for (var i = 0; i < length; i++)
            texts = texts.SelectMany(text => text.Length == i && (i == 0 || text[^1] != end) ? Enumerable.Range(0, end + 1).Select(id => (int[])[.. text, id]) : [text]).ToList();
        return texts;
    }
}
