// How likely the model thinks a given text: scores and perplexity.

using NanoGpt.Inference;

namespace NanoGpt;

public sealed partial class Generator
{
    /// <summary>Says how likely the model thinks each token of a text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="cancellationToken">Stops between two windows.</param>
    /// <exception cref="ModelFormatException">The model has no vocabulary.</exception>
    public TextScore Score(string text, CancellationToken cancellationToken = default) =>
        Score(Encode(text, options: null), cancellationToken: cancellationToken);

    /// <summary>
    /// Says how likely the model thinks each id, over a text of any length: a window of the context's length slides over it, and
    /// each id is scored once, in the first window that reaches it.
    /// </summary>
    /// <param name="ids">The ids.</param>
    /// <param name="stride">
    /// How far the window slides, from 1 to one less than the context: the smaller, the more context each id has, and the
    /// longer it takes. Null for half the context.
    /// </param>
    /// <param name="progress">Told how many ids have been scored.</param>
    /// <param name="cancellationToken">Stops between two windows.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="stride"/> is out of its range, or an id is none of the model's.</exception>
    public TextScore Score(
        IReadOnlyList<int> ids, int? stride = null, IProgress<int>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(ids);
        var engine = _engine();
        var context = engine.Config.BlockSize;
        var step = stride ?? Math.Max(1, context / 2);
        ArgumentOutOfRangeException.ThrowIfLessThan(step, 1, nameof(stride));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(step, Math.Max(1, context - 1), nameof(stride));

        var scores = new TokenLogProbability[ids.Count];
        if (ids.Count > 0) scores[0] = new TokenLogProbability(ids[0], double.NaN);
        var scored = 1;
        for (var start = 0; scored < ids.Count; start += step)
        {
            var window = ids.Skip(start).Take(context + 1).ToArray();
            ScoreWindow(engine, window, scored - start, scores.AsMemory(start), cancellationToken);
            scored = start + window.Length;
            progress?.Report(scored);
        }

        return new TextScore(scores);
    }

    /// <summary>Scores the ids of a window from <paramref name="first"/> on; those before are only context.</summary>
    private static void ScoreWindow(
        InferenceModel engine, int[] window, int first, Memory<TokenLogProbability> scores, CancellationToken cancellationToken)
    {
        using var cache = new KeyValueCache(engine.Config, engine.Kernels.PanelWidth);
        foreach (var id in window)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(id, "ids");
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(id, engine.Config.VocabSize, "ids");
        }

        engine.Run([new ForwardRequest(cache, window.AsMemory(0, window.Length - 1), first - 1, ScoreNext)], cancellationToken);

        void ScoreNext(int position, ReadOnlySpan<float> logits)
        {
            var id = window[position + 1];
            scores.Span[position + 1] = new TokenLogProbability(id, logits[id] - LogProbabilities.LogSumExp(logits, engine.Kernels.Rows));
        }
    }
}
