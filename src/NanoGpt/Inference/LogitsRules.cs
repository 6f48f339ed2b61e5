// What changes logits before any choice, drawn or greedy: bias, penalties, bans. In transformers' order; its logits
// processors.

namespace NanoGpt.Inference;

/// <summary>Applies the rules of some options to the logits of one sequence. Stateless between calls.</summary>
/// <param name="options">Valid options.</param>
/// <param name="badWords">Runs of ids that are never generated, those of <see cref="GenerationOptions.BadWords"/> among them.</param>
/// <param name="endIds">Ids that end a text, not chosen before <see cref="GenerationOptions.MinNewTokens"/>.</param>
internal sealed class LogitsRules(
    GenerationOptions options, IReadOnlyList<IReadOnlyList<int>> badWords, IReadOnlyCollection<int> endIds)
{
    /// <summary>Whether there is nothing to do.</summary>
    public bool AreEmpty { get; } = options.LogitBias.Count == 0 && options.RepetitionPenalty == 1 && options.PresencePenalty == 0
        && options.FrequencyPenalty == 0 && options.NoRepeatNgramSize == 0 && badWords.Count == 0
        && (options.MinNewTokens == 0 || endIds.Count == 0);

    /// <summary>Changes the logits of the next token.</summary>
    /// <param name="logits">One for each id.</param>
    /// <param name="ids">The sequence so far, prompt included.</param>
    /// <param name="promptLength">How many of them are the prompt.</param>
    public void Apply(Span<float> logits, IReadOnlyList<int> ids, int promptLength)
    {
        foreach (var (id, bias) in options.LogitBias) logits[id] += bias;
        if (options.RepetitionPenalty != 1) PenalizeRepetition(logits, ids);
        if (options.PresencePenalty != 0 || options.FrequencyPenalty != 0) PenalizeOccurrence(logits, ids, promptLength);
        if (options.NoRepeatNgramSize > 0) BanRepeatedNgrams(logits, ids);
        foreach (var run in badWords) BanBadWord(logits, ids, run);
        if (ids.Count - promptLength < options.MinNewTokens)
        {
            foreach (var id in endIds) logits[id] = float.NegativeInfinity;
        }
    }

    private void PenalizeRepetition(Span<float> logits, IReadOnlyList<int> ids)
    {
        var penalty = (float)options.RepetitionPenalty;
        foreach (var id in ids.Distinct()) logits[id] = logits[id] < 0 ? logits[id] * penalty : logits[id] / penalty;
    }

    private void PenalizeOccurrence(Span<float> logits, IReadOnlyList<int> ids, int promptLength)
    {
        foreach (var generated in ids.Skip(promptLength).GroupBy(id => id))
            logits[generated.Key] -= (float)(options.PresencePenalty + generated.Count() * options.FrequencyPenalty);
    }

    /// <summary>Bans each id that would complete a run that is there already.</summary>
    private void BanRepeatedNgrams(Span<float> logits, IReadOnlyList<int> ids)
    {
        var prefix = options.NoRepeatNgramSize - 1;
        for (var start = 0; start + prefix < ids.Count; start++)
        {
            if (Matches(ids, start, ids.Count - prefix, prefix)) logits[ids[start + prefix]] = float.NegativeInfinity;
        }
    }

    private static void BanBadWord(Span<float> logits, IReadOnlyList<int> ids, IReadOnlyList<int> run)
    {
        var prefix = run.Count - 1;
        if (prefix > ids.Count) return;
        for (var i = 0; i < prefix; i++)
        {
            if (ids[ids.Count - prefix + i] != run[i]) return;
        }

        logits[run[prefix]] = float.NegativeInfinity;
    }

    private static bool Matches(IReadOnlyList<int> ids, int first, int second, int length)
    {
        for (var i = 0; i < length; i++)
        {
            if (ids[first + i] != ids[second + i]) return false;
        }

        return true;
    }
}
