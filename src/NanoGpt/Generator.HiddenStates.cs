// What the network makes of a text before it guesses the next token: the vectors that embeddings are made of.

using NanoGpt.Inference;

namespace NanoGpt;

public sealed partial class Generator
{
    /// <summary>The states after the last layer norm, (T, C), of ids that fit into the context.</summary>
    internal async Task<float[]> HiddenStatesAsync(IReadOnlyList<int> ids, CancellationToken cancellationToken)
    {
        var engine = _engine();
        var width = engine.Config.NEmbd;
        var states = new float[ids.Count * width];
        using var place = await _queue.EnterAsync(cancellationToken).ConfigureAwait(false);
        using var cache = new KeyValueCache(engine.Config, engine.Kernels.PanelWidth);
        await engine.RunAsync([new ForwardRequest(cache, ids.ToArray(), ids.Count, OnLogits: null, Keep)], cancellationToken).ConfigureAwait(false);
        return states;

        void Keep(int stage, int position, ReadOnlySpan<float> state)
        {
            if (stage == engine.Config.NLayer + 1) state.CopyTo(states.AsSpan(position * width, width));
        }
    }
}
