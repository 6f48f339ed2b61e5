// One text in the making: chooses its next token, turns it into text, notices its end. The model runs elsewhere.

using NanoGpt.Inference;
using NanoGpt.Tokenization;

namespace NanoGpt.Generation;

/// <summary>One sequence of a generation.</summary>
internal sealed class TextSequence
{
    private readonly GenerationPlan _plan;
    private readonly Sampler _sampler;
    private readonly StreamDecoder? _decoder;
    private readonly StopStringFilter _stop;
    private readonly int _promptLength;
    private readonly List<int> _ids;

    /// <summary>Starts after a prompt.</summary>
    /// <param name="plan">The options.</param>
    /// <param name="session">Has the prompt; its logits are there when <see cref="Choose"/> is called.</param>
    /// <param name="prompt">The ids of the prompt.</param>
    /// <param name="stream">Number of the sequence, which has draws of its own.</param>
    public TextSequence(GenerationPlan plan, InferenceSession session, IReadOnlyList<int> prompt, int stream)
    {
        (_plan, Session, _promptLength, _ids) = (plan, session, prompt.Count, [.. prompt]);
        _sampler = new Sampler(plan.Options, plan.Rules, new RandomSource(plan.Options.Seed, stream));
        _decoder = plan.Tokenizer?.CreateStreamDecoder();
        _stop = new StopStringFilter(plan.Options.StopStrings);
        if (plan.Options.MaxNewTokens == 0) IsFinished = true;
    }

    public InferenceSession Session { get; }

    public bool IsFinished { get; private set; }

    /// <summary>Chooses the next token by the session's logits.</summary>
    public GeneratedToken Choose()
    {
        var logits = Session.Logits[.._plan.UsableIds];
        var id = _sampler.Next(logits, _ids, _promptLength);
        _ids.Add(id);

        var end = _plan.EndBy(id);
        var text = end is null ? _stop.Add(_decoder?.Decode(id) ?? "") : "";
        if (_stop.HasStopped) end = FinishReason.StopString;
        if (end is null && _ids.Count - _promptLength >= _plan.Options.MaxNewTokens) end = FinishReason.Length;
        if (end is not null)
        {
            IsFinished = true;
            text += Flush();
            if (end == FinishReason.Length && _stop.HasStopped) end = FinishReason.StopString;
        }

        return AddProbabilities(new GeneratedToken(id, text) { FinishReason = end }, logits);
    }

    private string Flush() => _stop.Add(_decoder?.Flush() ?? "") + _stop.Flush();

    private GeneratedToken AddProbabilities(GeneratedToken token, ReadOnlySpan<float> logits)
    {
        if (_plan.Options.LogProbabilities is not { } count) return token;
        var total = LogProbabilities.LogSumExp(logits, Session.Model.Kernels.Rows);
        return token with
        {
            LogProbability = logits[token.Id] - total,
            Top = LogProbabilities.Top(logits, count, total),
        };
    }
}
