// Several texts in the making, step by step: what the model has to compute next, then the tokens chosen from it. The caller
// runs the model in between, on its thread or awaiting, so both kinds of streaming are the same steps.

using NanoGpt.Inference;

namespace NanoGpt.Generation;

/// <summary>One generation: for each prompt as many sequences as the options ask for. Use it from one thread at a time.</summary>
internal sealed class GenerationRun : IDisposable
{
    private readonly GenerationPlan _plan;
    private readonly IReadOnlyList<(InferenceSession Session, IReadOnlyList<int> Ids)> _prompts;
    private readonly List<InferenceSession> _forks = [];
    private List<(int Index, TextSequence Sequence, int LastId)> _live = [];
    private bool _hasStarted;

    /// <summary>Prepares the steps.</summary>
    /// <param name="plan">The options.</param>
    /// <param name="prompts">The ids of each prompt and the session to compute it in, which the caller disposes.</param>
    public GenerationRun(GenerationPlan plan, IReadOnlyList<(InferenceSession Session, IReadOnlyList<int> Ids)> prompts)
    {
        (_plan, _prompts) = (plan, prompts);
    }

    /// <summary>Whether all sequences have ended.</summary>
    public bool IsFinished => _plan.Options.MaxNewTokens == 0 || (_hasStarted && _live.Count == 0);

    /// <summary>What the model has to run before the next <see cref="Choose"/>.</summary>
    public List<ForwardRequest> NextRequests() => _hasStarted
        ? _live.ConvertAll(item => item.Sequence.Session.ContinueWith(item.LastId))
        : _prompts.Select(prompt => prompt.Session.ContinueTo(prompt.Ids)).ToList();

    /// <summary>Chooses the next token of each sequence that has not ended.</summary>
    /// <returns>Each token with the number of its sequence: those of the first prompt come first.</returns>
    public List<(int Index, GeneratedToken Token)> Choose()
    {
        if (!_hasStarted) Start();
        var chosen = _live.ConvertAll(item => (item.Index, Token: item.Sequence.Choose()));
        _live = _live.Zip(chosen, (item, choice) => (item.Index, item.Sequence, choice.Token.Id)).Where(item => !item.Sequence.IsFinished).ToList();
        return chosen;
    }

    /// <summary>Frees the sessions that this run has made itself.</summary>
    public void Dispose()
    {
        foreach (var fork in _forks) fork.Dispose();
    }

    /// <summary>The prompts are computed: each gets its sequences, the first in the prompt's own session, the others in copies.</summary>
    private void Start()
    {
        _hasStarted = true;
        foreach (var (session, ids) in _prompts)
        {
            for (var i = 0; i < _plan.Options.ReturnSequences; i++)
            {
                var own = i == 0 ? session : session.Fork();
                if (i > 0) _forks.Add(own);
                _live.Add((_live.Count, new TextSequence(_plan, own, ids, i), 0));
            }
        }
    }
}
