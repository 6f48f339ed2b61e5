// Beam search: several texts are continued side by side, and of all continuations the likeliest go on. As in transformers,
// with the length of the generated part in the length penalty.

using NanoGpt.Inference;

namespace NanoGpt.Generation;

/// <summary>Seeks the likeliest texts after one prompt.</summary>
internal sealed class BeamSearch : IDisposable
{
    private readonly GenerationPlan _plan;
    private readonly InferenceSession _root;
    private readonly IReadOnlyList<int> _prompt;
    private readonly List<Finished> _finished = [];
    private readonly float[] _scores;
    private List<Beam> _beams;
    private bool _hasStarted;

    /// <summary>Prepares the steps.</summary>
    /// <param name="plan">The options.</param>
    /// <param name="session">To compute the prompt in; the caller disposes it.</param>
    /// <param name="prompt">The ids of the prompt.</param>
    public BeamSearch(GenerationPlan plan, InferenceSession session, IReadOnlyList<int> prompt)
    {
        (_plan, _root, _prompt) = (plan, session, prompt);
        _scores = new float[plan.UsableIds];
        _beams = [new Beam(session, [.. prompt], 0, [])];
    }

    private sealed record Beam(
        InferenceSession Session, IReadOnlyList<int> Ids, double LogProbability, IReadOnlyList<GeneratedToken> Tokens);

    private sealed record Finished(double Score, IReadOnlyList<GeneratedToken> Tokens, FinishReason Reason);

    private readonly record struct Continuation(Beam Beam, int Id, double LogProbability);

    /// <summary>Whether nothing better can come.</summary>
    public bool IsFinished { get; private set; }

    /// <summary>What the model has to run before the next <see cref="Advance"/>.</summary>
    public List<ForwardRequest> NextRequests() => _hasStarted
        ? _beams.ConvertAll(beam => beam.Session.ContinueWith(beam.Ids[^1]))
        : [_beams[0].Session.ContinueTo(_prompt)];

    /// <summary>Continues every beam by one token and keeps the best.</summary>
    public void Advance()
    {
        _hasStarted = true;
        var width = _plan.Options.Beams;
        if (_plan.Options.MaxNewTokens == 0)
        {
            // One empty text is all there is; it is given as often as without beams.
            _finished.AddRange(Enumerable.Repeat(new Finished(0, [], FinishReason.Length), _plan.Options.ReturnSequences));
            IsFinished = true;
            return;
        }

        // Twice as many as there are beams: even if every second one ends, all beams go on.
        var best = _beams.SelectMany(Continuations).OrderByDescending(next => next.LogProbability).Take(2 * width).ToList();
        var going = new List<Continuation>();
        foreach (var (next, rank) in best.Select((next, rank) => (next, rank)))
        {
            if (_plan.EndBy(next.Id) is { } reason)
            {
                if (rank < width) Finish(next, reason);
            }
            else if (going.Count < width)
            {
                going.Add(next);
            }
        }

        var length = _beams[0].Ids.Count - _prompt.Count + 1;
        if (length >= _plan.Options.MaxNewTokens)
        {
            foreach (var next in going) Finish(next, FinishReason.Length);
            IsFinished = true;
        }
        else
        {
            IsFinished = going.Count == 0 || IsHopeless(going[0].LogProbability, length);
            if (!IsFinished) GoOn(going);
        }
    }

    /// <summary>The best texts, the best first.</summary>
    public IReadOnlyList<GenerationResult> Results() => _finished
        .OrderByDescending(text => text.Score)
        .Take(_plan.Options.ReturnSequences)
        .Select(Result)
        .ToList();

    /// <summary>Frees the sessions that this search has made itself.</summary>
    public void Dispose()
    {
        foreach (var beam in _beams) DisposeSession(beam);
    }

    private GenerationResult Result(Finished text)
    {
        var decoder = _plan.Tokenizer?.CreateStreamDecoder();
        var tokens = text.Tokens.Select(token => token with { Text = _plan.EndBy(token.Id) is null ? decoder?.Decode(token.Id) ?? "" : "" }).ToArray();
        if (tokens.Length > 0) tokens[^1] = tokens[^1] with { Text = tokens[^1].Text + decoder?.Flush(), FinishReason = text.Reason };
        return new GenerationResult(string.Concat(tokens.Select(token => token.Text)), tokens, text.Reason, _prompt.Count) { BeamScore = text.Score };
    }

    private void DisposeSession(Beam beam)
    {
        if (beam.Session != _root) beam.Session.Dispose();
    }

    private IEnumerable<Continuation> Continuations(Beam beam)
    {
        var logits = beam.Session.Logits[.._plan.UsableIds];
        var total = LogProbabilities.LogSumExp(logits, beam.Session.Model.Kernels.Rows);
        for (var id = 0; id < logits.Length; id++) _scores[id] = (float)(logits[id] - total);
        _plan.Rules.Apply(_scores, beam.Ids, _prompt.Count);
        return LogProbabilities.Top(_scores, 2 * _plan.Options.Beams, logSumExp: 0)
            .Where(token => token.LogProbability > double.NegativeInfinity)
            .Select(token => new Continuation(beam, token.Id, beam.LogProbability + token.LogProbability));
    }

    private void Finish(Continuation next, FinishReason reason)
    {
        var tokens = Tokens(next);
        _finished.Add(new Finished(next.LogProbability / Math.Pow(tokens.Count, _plan.Options.LengthPenalty), tokens, reason));
        if (_finished.Count > _plan.Options.Beams) _finished.Remove(_finished.MinBy(text => text.Score)!);
    }

    /// <summary>Whether no beam can still become better than the finished texts.</summary>
    private bool IsHopeless(double bestLogProbability, int length)
    {
        if (_finished.Count < _plan.Options.Beams) return false;
        return _plan.Options.EarlyStopping
            || bestLogProbability / Math.Pow(length, _plan.Options.LengthPenalty) <= _finished.Min(text => text.Score);
    }

    /// <summary>The first continuation of a beam goes on in its session, others in copies.</summary>
    private void GoOn(List<Continuation> going)
    {
        var old = _beams;
        var used = new HashSet<Beam>(ReferenceEqualityComparer.Instance);
        _beams = going.ConvertAll(next => next.Beam with
        {
            Session = used.Add(next.Beam) ? next.Beam.Session : next.Beam.Session.Fork(),
            Ids = [.. next.Beam.Ids, next.Id],
            LogProbability = next.LogProbability,
            Tokens = Tokens(next),
        });
        foreach (var dropped in old.Where(beam => !used.Contains(beam))) DisposeSession(dropped);
    }

    private IReadOnlyList<GeneratedToken> Tokens(Continuation next)
    {
        var token = new GeneratedToken(next.Id, "");
        if (_plan.Options.LogProbabilities is { } count)
        {
            var logits = next.Beam.Session.Logits[.._plan.UsableIds];
            var total = LogProbabilities.LogSumExp(logits, next.Beam.Session.Model.Kernels.Rows);
            token = token with { LogProbability = logits[next.Id] - total, Top = LogProbabilities.Top(logits, count, total) };
        }

        return [.. next.Beam.Tokens, token];
    }
}
