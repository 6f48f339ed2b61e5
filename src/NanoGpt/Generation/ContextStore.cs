// The contexts that a generator has computed lately, for prompts that begin alike.

using NanoGpt.Inference;

namespace NanoGpt.Generation;

/// <summary>Sessions at rest, the latest last. Safe for concurrent use.</summary>
/// <param name="capacity">The most sessions to keep.</param>
internal sealed class ContextStore(int capacity) : IDisposable
{
    private readonly List<InferenceSession> _sessions = [];

    /// <summary>
    /// A session with the longest beginning in common with the prompt: the kept one, a copy where most of it would be lost to
    /// another conversation that only begins alike, or a new one. The caller gives it back.
    /// </summary>
    /// <param name="engine">The model as it is now; sessions of an older one are dropped.</param>
    /// <param name="ids">The prompt.</param>
    public InferenceSession Take(InferenceModel engine, IReadOnlyList<int> ids)
    {
        lock (_sessions)
        {
            foreach (var outdated in _sessions.FindAll(session => session.Model != engine)) Drop(outdated);
            var best = _sessions.MaxBy(session => session.ReusableLength(ids));
            var common = best?.ReusableLength(ids) ?? 0;
            if (best is null || common == 0) return engine.CreateSession();
            if (common < best.Ids.Count / 2) return best.Fork();
            _sessions.Remove(best);
            return best;
        }
    }

    /// <summary>Takes a session to keep; the one that has rested longest gives way.</summary>
    public void GiveBack(InferenceSession session)
    {
        session.Rest();
        lock (_sessions)
        {
            _sessions.Add(session);
            if (_sessions.Count > capacity) Drop(_sessions[0]);
        }
    }

    public void Dispose()
    {
        lock (_sessions)
        {
            while (_sessions.Count > 0) Drop(_sessions[0]);
        }
    }

    private void Drop(InferenceSession session)
    {
        _sessions.Remove(session);
        session.Dispose();
    }
}
