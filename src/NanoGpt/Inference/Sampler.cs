// From logits to the next token of one sequence, by its options. Knows ids only.

namespace NanoGpt.Inference;

/// <summary>Chooses the tokens of one sequence.</summary>
internal sealed class Sampler
{
    private readonly GenerationOptions _options;
    private readonly LogitsRules _rules;
    private readonly RandomSource _random;
    private readonly Candidates _candidates = new();
    private float[] _changed = [];

    /// <summary>Starts a sequence.</summary>
    /// <param name="options">Valid options.</param>
    /// <param name="rules">What changes logits before the choice.</param>
    /// <param name="random">Its draws.</param>
    public Sampler(GenerationOptions options, LogitsRules rules, RandomSource random)
    {
        (_options, _rules, _random) = (options, rules, random);
    }

    /// <summary>Chooses the next token.</summary>
    /// <param name="logits">The model's, after the last of <paramref name="ids"/>.</param>
    /// <param name="ids">The sequence so far, prompt included.</param>
    /// <param name="promptLength">How many of them are the prompt.</param>
    /// <exception cref="ModelFormatException">A logit is NaN or positive infinity, or nothing is left to choose.</exception>
    public int Next(ReadOnlySpan<float> logits, IReadOnlyList<int> ids, int promptLength)
    {
        var scores = ApplyRules(logits, ids, promptLength);
        var best = IndexOfLargest(scores);
        if (_options.Temperature == 0) return best;
        Filter(scores);
        return _candidates.Draw(_random.NextDouble());
    }

    /// <summary>The distribution that <see cref="Next"/> draws from.</summary>
    public double[] Distribution(ReadOnlySpan<float> logits, IReadOnlyList<int> ids, int promptLength)
    {
        Filter(ApplyRules(logits, ids, promptLength));
        return _candidates.Distribution(logits.Length);
    }

    private ReadOnlySpan<float> ApplyRules(ReadOnlySpan<float> logits, IReadOnlyList<int> ids, int promptLength)
    {
        if (_rules.AreEmpty) return logits;
        if (_changed.Length < logits.Length) _changed = new float[logits.Length];
        var scores = _changed.AsSpan(0, logits.Length);
        logits.CopyTo(scores);
        _rules.Apply(scores, ids, promptLength);
        return scores;
    }

    private void Filter(ReadOnlySpan<float> scores)
    {
        _candidates.Fill(scores, (float)_options.Temperature, _options.TopK);
        if (_options.TopP < 1) _candidates.KeepTopP(_options.TopP);
        if (_options.MinP > 0) _candidates.KeepMinP(_options.MinP);
        if (_options.TypicalP < 1) _candidates.KeepTypicalP(_options.TypicalP);
    }

    /// <summary>The first of the largest scores; the place where broken logits are noticed.</summary>
    private static int IndexOfLargest(ReadOnlySpan<float> scores)
    {
        var best = 0;
        var isBroken = false;
        for (var id = 0; id < scores.Length; id++)
        {
            isBroken |= !(scores[id] < float.PositiveInfinity);
            if (scores[id] > scores[best]) best = id;
        }

        if (isBroken)
        {
            throw new ModelFormatException(
                "The model gave a logit that is not a number or infinite. Its weights, or what was done to them, are broken.");
        }

        if (float.IsNegativeInfinity(scores[best]))
        {
            throw new ArgumentException(
                "The generation options forbid every token (LogitBias, NoRepeatNgramSize, BadWords, MinNewTokens): none is left to choose.");
        }

        return best;
    }
}
