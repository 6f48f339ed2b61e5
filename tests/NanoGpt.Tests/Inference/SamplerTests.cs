using System.Text.Json;
using NanoGpt.Inference;

namespace NanoGpt.Tests.Inference;

/// <summary>The choice of a token against transformers' exact distributions, and rule by rule.</summary>
public sealed class SamplerTests
{
    // transformers' float32 probabilities are up to 2e-6 from float64 (sampling.json).
    private const double Tolerance = 1e-5;

    public static TheoryData<string, string> Cases()
    {
        using var json = JsonDocument.Parse(File.ReadAllText(Vectors.Path("sampling", "sampling.json")));
        var data = new TheoryData<string, string>();
        foreach (var entry in json.RootElement.GetProperty("cases").EnumerateArray())
            data.Add(entry.GetProperty("set").GetString()!, entry.GetProperty("case").GetString()!);
        Assert.Equal(44, data.Count);
        return data;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Distributions_equal_those_of_transformers(string set, string name)
    {
        using var file = new TensorFile(Vectors.Path("sampling", "sampling.safetensors"));
        var options = OptionsOf(set, name, out var kept);
        var logits = file.Floats(set + ".logits");
        var prompt = file.Tensors.ContainsKey(set + ".prompt_ids") ? file.Ids(set + ".prompt_ids") : [];
        var expected = file.Floats($"{set}.probs.{name}");

        var actual = NewSampler(options).Distribution(logits, prompt, prompt.Length);

        Assert.Equal(kept, actual.Count(p => p > 0));
        for (var id = 0; id < expected.Length; id++)
        {
            if (expected[id] > 0) Assert.True(actual[id] > 0);
            else Assert.True(actual[id] < 1e-44); // removed, or below the smallest float32
            Assert.Equal(expected[id], actual[id], Tolerance);
        }
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("all")]
    [InlineData("temperature_top_p")]
    public void Draws_follow_the_distribution(string name)
    {
        const int Draws = 100_000;
        using var file = new TensorFile(Vectors.Path("sampling", "sampling.safetensors"));
        var options = OptionsOf("p0", name, out _) with { Seed = 11 };
        var logits = file.Floats("p0.logits");
        var prompt = file.Ids("p0.prompt_ids");
        var expected = file.Floats("p0.probs." + name);

        var sampler = NewSampler(options);
        var counts = new int[logits.Length];
        for (var i = 0; i < Draws; i++) counts[sampler.Next(logits, prompt, prompt.Length)]++;

        // Pearson's chi-square; ids that are expected fewer than five times are taken together.
        var (chiSquare, cells, rareExpected, rareCount) = (0.0, 0, 0.0, 0);
        for (var id = 0; id < counts.Length; id++)
        {
            var mean = expected[id] * (double)Draws;
            if (mean < 5)
            {
                rareExpected += mean;
                rareCount += counts[id];
                continue;
            }

            chiSquare += (counts[id] - mean) * (counts[id] - mean) / mean;
            cells++;
        }

        if (rareExpected > 5) (chiSquare, cells) = (chiSquare + (rareCount - rareExpected) * (rareCount - rareExpected) / rareExpected, cells + 1);
        else Assert.InRange(rareCount, 0, 20);

        // Mean n, variance 2 n: five standard deviations are passed by chance less than once in a million.
        var freedom = cells - 1;
        Assert.InRange(chiSquare, freedom - 5 * Math.Sqrt(2 * freedom), freedom + 5 * Math.Sqrt(2 * freedom));
    }

    [Fact]
    public void The_same_seed_draws_the_same_and_another_stream_does_not()
    {
        double[] Draw(long seed, int stream)
        {
            var random = new RandomSource(seed, stream);
            return Enumerable.Range(0, 20).Select(_ => random.NextDouble()).ToArray();
        }

        Assert.Equal(Draw(1337, 0), Draw(1337, 0));
        Assert.NotEqual(Draw(1337, 0), Draw(1337, 1));
        Assert.NotEqual(Draw(1337, 0), Draw(1338, 0));

        // By another implementation of the published algorithm; a new version must repeat what an old one drew.
        Assert.Equal([0.6759434119590045, 0.8144736480449252, 0.7775129841449137], Draw(1337, 0).Take(3));
    }

    [Fact]
    public void Greedy_takes_the_first_of_the_largest_logits()
    {
        Assert.Equal(1, Next([0f, 3f, 3f, -1f], new() { Temperature = 0 }));
    }

    [Fact]
    public void Logit_bias_comes_before_everything_and_can_forbid()
    {
        Assert.Equal(3, Next([0f, 3f, 3f, -1f], new() { Temperature = 0, LogitBias = new Dictionary<int, float> { [3] = 5f } }));
        Assert.Equal(2, Next([0f, 3f, 3f, -1f], new() { Temperature = 0, LogitBias = new Dictionary<int, float> { [1] = float.NegativeInfinity } }));
    }

    [Fact]
    public void Presence_and_frequency_penalties_count_generated_ids_and_not_the_prompt()
    {
        float[] logits = [2f, 1.6f, 1f, 0f];
        var options = new GenerationOptions { Temperature = 0 };

        Assert.Equal(0, Next(logits, options with { PresencePenalty = 0.5 }, [0, 0, 0], promptLength: 3));
        Assert.Equal(1, Next(logits, options with { PresencePenalty = 0.5 }, [3, 0], promptLength: 1));
        Assert.Equal(0, Next(logits, options with { FrequencyPenalty = 0.3 }, [3, 0], promptLength: 1));
        Assert.Equal(1, Next(logits, options with { FrequencyPenalty = 0.3 }, [3, 0, 0], promptLength: 1));
    }

    [Fact]
    public void No_run_of_n_ids_occurs_twice()
    {
        float[] logits = [5f, 4f, 3f, 2f];
        var options = new GenerationOptions { Temperature = 0, NoRepeatNgramSize = 2 };

        Assert.Equal(0, Next(logits, options, [1, 0, 2], promptLength: 3));
        Assert.Equal(2, Next(logits, options, [1, 0, 1, 1], promptLength: 4)); // 1 0 and 1 1 are there.
        Assert.Equal(1, Next(logits, options with { NoRepeatNgramSize = 1 }, [0], promptLength: 1));
    }

    [Fact]
    public void The_last_id_of_a_bad_word_is_banned_where_the_others_stand()
    {
        float[] logits = [5f, 4f, 3f, 2f];
        var options = new GenerationOptions { Temperature = 0, BadWordIds = [[0], [3, 2, 1]] };

        Assert.Equal(1, Next(logits, options, [2], promptLength: 1));
        Assert.Equal(2, Next(logits, options, [0, 3, 2], promptLength: 3));
    }

    [Fact]
    public void Ids_that_end_the_text_wait_for_the_minimum_length()
    {
        float[] logits = [5f, 4f];
        var rules = new GenerationOptions { Temperature = 0, MinNewTokens = 2 };

        Assert.Equal(1, NewSampler(rules, endIds: [0]).Next(logits, [1, 1], 1));
        Assert.Equal(0, NewSampler(rules, endIds: [0]).Next(logits, [1, 1, 1], 1));
    }

    [Fact]
    public void Min_p_keeps_what_is_likely_enough_beside_the_likeliest()
    {
        var kept = NewSampler(Off with { MinP = 0.3 }).Distribution([MathF.Log(0.5f), MathF.Log(0.3f), MathF.Log(0.15f), MathF.Log(0.05f)], [], 0);

        Assert.Equal([0.625, 0.375, 0, 0], kept.Select(p => Math.Round(p, 6)));
    }

    [Fact]
    public void Typical_p_drops_what_is_too_likely_as_well_as_too_unlikely()
    {
        // Entropy 1.28 nats; the information of the ids is 0.80, 1.20, 1.90, 3.00: the second is closest, then the first.
        float[] logits = [MathF.Log(0.45f), MathF.Log(0.3f), MathF.Log(0.15f), MathF.Log(0.05f), MathF.Log(0.05f)];

        Assert.Equal([0, 1, 0, 0, 0], NewSampler(Off with { TypicalP = 0.2 }).Distribution(logits, [], 0).Select(p => Math.Round(p, 6)));
        Assert.Equal([0.6, 0.4, 0, 0, 0], NewSampler(Off with { TypicalP = 0.5 }).Distribution(logits, [], 0).Select(p => Math.Round(p, 6)));
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void Broken_logits_are_an_error_and_not_a_token(float broken)
    {
        Assert.Throws<ModelFormatException>(() => Next([0f, broken, 1f], Off));
        Assert.Throws<ModelFormatException>(() => Next([0f, broken, 1f], Off with { Temperature = 0 }));
    }

    [Fact]
    public void Options_that_leave_nothing_to_choose_say_so()
    {
        var options = Off with { BadWordIds = [[0], [1]] };

        Assert.Contains("forbid every token", Assert.Throws<ArgumentException>(() => Next([0f, 1f], options)).Message);
    }

    [Fact]
    public void Validation_names_every_fault_at_once()
    {
        var options = new GenerationOptions
        {
            MaxNewTokens = -1, Temperature = double.NaN, TopP = 0, TopK = -1, RepetitionPenalty = 0, MinP = 2, TypicalP = 1.1,
            PresencePenalty = 3, FrequencyPenalty = -3, NoRepeatNgramSize = -2, Beams = 0, ReturnSequences = 0, LogProbabilities = -1,
            StopStrings = [""], BadWords = [""], BadWordIds = [[], [9]], StopIds = [10, -1], LogitBias = new Dictionary<int, float> { [11] = float.NaN },
        };

        var message = Assert.Throws<ArgumentException>(() => options.Validate(vocabSize: 9)).Message;

        foreach (var fault in new[]
        {
            "MaxNewTokens is -1, must be at least 0", "Temperature is NaN", "TopP is 0, must be above 0, at most 1", "TopK is -1", "RepetitionPenalty is 0",
            "MinP is 2", "TypicalP is 1.1", "PresencePenalty is 3", "FrequencyPenalty is -3", "NoRepeatNgramSize is -2", "Beams is 0",
            "ReturnSequences is 0", "LogProbabilities is -1", "StopStrings has", "BadWords has", "BadWordIds has an empty run",
            "BadWordIds has 9, which", "StopIds has 10", "StopIds has -1", "LogitBias has 11", "LogitBias of id 11 is NaN",
        })
        {
            Assert.Contains(fault, message);
        }

        new GenerationOptions().Validate();
        Assert.Contains("ReturnSequences is 3", Assert.Throws<ArgumentException>(() => new GenerationOptions { Beams = 2, ReturnSequences = 3 }.Validate()).Message);
    }

    private static GenerationOptions Off => new() { Temperature = 1, TopK = 0 };

    private static Sampler NewSampler(GenerationOptions options, int[]? endIds = null)
    {
        options.Validate();
        return new Sampler(options, new LogitsRules(options, options.BadWordIds, endIds ?? []), new RandomSource(options.Seed));
    }

    private static int Next(float[] logits, GenerationOptions options, int[]? ids = null, int promptLength = 0) =>
        NewSampler(options).Next(logits, ids ?? [], promptLength);

    private static GenerationOptions OptionsOf(string set, string name, out int kept)
    {
        using var json = JsonDocument.Parse(File.ReadAllText(Vectors.Path("sampling", "sampling.json")));
        var entry = json.RootElement.GetProperty("cases").EnumerateArray()
            .Single(entry => entry.GetProperty("set").GetString() == set && entry.GetProperty("case").GetString() == name);
        kept = entry.GetProperty("kept").GetInt32();
        var options = Off;
        foreach (var parameter in entry.GetProperty("params").EnumerateObject())
        {
            options = parameter.Name switch
            {
                "temperature" => options with { Temperature = parameter.Value.GetDouble() },
                "top_k" => options with { TopK = parameter.Value.GetInt32() },
                "top_p" => options with { TopP = parameter.Value.GetDouble() },
                "repetition_penalty" or "repetition" => options with { RepetitionPenalty = parameter.Value.GetDouble() },
                _ => throw new InvalidOperationException($"Unknown parameter {parameter.Name}."),
            };
        }

        return options;
    }
}
