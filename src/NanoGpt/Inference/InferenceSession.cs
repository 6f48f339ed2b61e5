// One sequence of token ids on its way through a model, with what the model remembers of it. Past the context length it
// does as nanoGPT does: only the last BlockSize ids are fed, at positions from 0 on, so all is computed anew.

namespace NanoGpt.Inference;

/// <summary>One sequence of tokens. Use it from one thread at a time; sessions of one model are independent.</summary>
internal sealed class InferenceSession : IDisposable
{
    private readonly InferenceModel model;
    private readonly KeyValueCache cache;
    private readonly List<int> ids;
    private float[]? logits;

    public InferenceSession(InferenceModel model)
        : this(model, new KeyValueCache(model.Config, model.Kernels.PanelWidth), [])
    {
    }

    private InferenceSession(InferenceModel model, KeyValueCache cache, List<int> ids)
    {
        (this.model, this.cache, this.ids) = (model, cache, ids);
    }

    /// <summary>All ids so far.</summary>
    public IReadOnlyList<int> Ids => ids;

    /// <summary>Bytes of keys and values held.</summary>
    public long CacheBytes => cache.Bytes;

    /// <summary>The logits after the last id; empty before the first, and after <see cref="Truncate"/>.</summary>
    public ReadOnlySpan<float> Logits => logits;

    /// <summary>Appends ids and returns the logits after the last. The span is valid until the next call.</summary>
    public ReadOnlySpan<float> Prefill(ReadOnlySpan<int> newIds)
    {
        model.Run([Append(newIds)]);
        return logits;
    }

    /// <summary>Appends one id and returns the logits after it. The span is valid until the next call.</summary>
    public ReadOnlySpan<float> Decode(int id)
    {
        model.Run([Append([id])]);
        return logits;
    }

    /// <summary>Appends ids to several sessions of one model and computes them together; see <see cref="Logits"/> of each.</summary>
    public static void Prefill(IReadOnlyList<(InferenceSession Session, int[] NewIds)> batch)
    {
        if (batch.Count == 0) return;
        batch[0].Session.model.Run(batch.Select(item => item.Session.Append(item.NewIds)).ToList());
    }

    /// <summary>Forgets everything.</summary>
    public void Reset() => Truncate(0);

    /// <summary>Goes back to the first <paramref name="length"/> ids.</summary>
    public void Truncate(int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, ids.Count);

        // Past the context length the cache holds a window that began later.
        cache.Truncate(ids.Count > model.Config.BlockSize ? 0 : length);
        ids.RemoveRange(length, ids.Count - length);
        logits = null;
    }

    /// <summary>A copy that goes its own way: many continuations of one prompt.</summary>
    public InferenceSession Fork() => new(model, cache.Clone(model.Config), [.. ids]) { logits = (float[]?)logits?.Clone() };

    public void Dispose() => cache.Dispose();

    private ForwardRequest Append(ReadOnlySpan<int> newIds)
    {
        if (newIds.Length == 0) throw new ArgumentException("There are no ids to append; at least one is needed.", nameof(newIds));
        foreach (var id in newIds)
        {
            if (id < 0 || id >= model.Config.VocabSize)
                throw new ArgumentOutOfRangeException(nameof(newIds), id, $"Not a token id of this model: vocab_size is {model.Config.VocabSize}.");
        }

        ids.AddRange(newIds);
        var context = model.Config.BlockSize;
        if (ids.Count > context) cache.Truncate(0);
        var fed = ids.Skip(ids.Count > context ? ids.Count - context : cache.Length).ToArray();
        return new ForwardRequest(cache, fed, fed.Length - 1, (_, values) => values.CopyTo(logits ??= new float[values.Length]));
    }
}
