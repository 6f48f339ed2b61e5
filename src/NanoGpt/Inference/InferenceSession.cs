// One sequence of token ids on its way through a model, with what the model remembers of it. Past the context length it
// does as nanoGPT does: only the last BlockSize ids are fed, at positions from 0 on, so all is computed anew.

using System.Buffers;

namespace NanoGpt.Inference;

/// <summary>One sequence of tokens. Use it from one thread at a time; sessions of one model are independent.</summary>
internal sealed class InferenceSession : IDisposable
{
    private readonly KeyValueCache _cache;
    private readonly List<int> _ids;

    // Rented while there are any: one for each session at rest would be 200 KB of garbage that the collector doesn't move.
    private float[]? _logits;

    public InferenceSession(InferenceModel model)
        : this(model, new KeyValueCache(model.Config, model.Kernels.PanelWidth), [])
    {
    }

    private InferenceSession(InferenceModel model, KeyValueCache cache, List<int> ids)
    {
        (Model, _cache, _ids) = (model, cache, ids);
    }

    /// <summary>What it runs on.</summary>
    public InferenceModel Model { get; }

    /// <summary>All ids so far.</summary>
    public IReadOnlyList<int> Ids => _ids;

    /// <summary>Bytes of keys and values held.</summary>
    public long CacheBytes => _cache.Bytes;

    /// <summary>The logits after the last id; empty before the first, after <see cref="Truncate"/> and after <see cref="Rest"/>. Valid until the next call.</summary>
    public ReadOnlySpan<float> Logits => _logits.AsSpan(0, _logits is null ? 0 : Model.Config.VocabSize);

    /// <summary>Appends ids and returns the logits after the last. The span is valid until the next call.</summary>
    /// <exception cref="ArgumentOutOfRangeException">An id is none of the vocabulary; nothing was appended.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; the ids are appended, and computed with the next ones.</exception>
    public ReadOnlySpan<float> Prefill(ReadOnlySpan<int> newIds, CancellationToken cancellationToken = default)
    {
        Model.Run([Append(newIds)], cancellationToken);
        return Logits;
    }

    /// <summary>Appends one id and returns the logits after it. The span is valid until the next call.</summary>
    public ReadOnlySpan<float> Decode(int id)
    {
        Model.Run([Append([id])]);
        return Logits;
    }

    /// <summary>Appends ids to several sessions of one model and computes them together; see <see cref="Logits"/> of each.</summary>
    public static void Prefill(
        IReadOnlyList<(InferenceSession Session, int[] NewIds)> batch, CancellationToken cancellationToken = default)
    {
        if (batch.Count == 0) return;
        batch[0].Session.Model.Run(batch.Select(item => item.Session.Append(item.NewIds)).ToList(), cancellationToken);
    }

    /// <summary>Makes the sequence equal <paramref name="wanted"/>, keeping what the two begin with in common, and returns what is left to run.</summary>
    /// <param name="wanted">At least one id. The logits after the last will be there.</param>
    public ForwardRequest ContinueTo(IReadOnlyList<int> wanted)
    {
        var common = Math.Min(CommonLength(wanted), wanted.Count - 1);
        Truncate(common);
        return Append([.. wanted.Skip(common)]);
    }

    /// <summary>Appends an id and returns what is left to run.</summary>
    public ForwardRequest ContinueWith(int id) => Append([id]);

    /// <summary>How many ids the sequence and <paramref name="other"/> begin with in common.</summary>
    public int CommonLength(IReadOnlyList<int> other)
    {
        var common = 0;
        while (common < _ids.Count && common < other.Count && _ids[common] == other[common]) common++;
        return common;
    }

    /// <summary>How many of the wanted ids <see cref="ContinueTo"/> need not compute: none past the context length.</summary>
    public int ReusableLength(IReadOnlyList<int> wanted) =>
        _ids.Count > Model.Config.BlockSize || wanted.Count > Model.Config.BlockSize
            ? 0
            : Math.Min(Math.Min(CommonLength(wanted), wanted.Count - 1), _cache.Length);

    /// <summary>Goes back to the first <paramref name="length"/> ids.</summary>
    public void Truncate(int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, _ids.Count);

        // Past the context length the cache holds a window that began later.
        _cache.Truncate(_ids.Count > Model.Config.BlockSize ? 0 : length);
        _ids.RemoveRange(length, _ids.Count - length);
        Rest();
    }

    /// <summary>Gives back what only the next choice of a token needs: the logits.</summary>
    public void Rest()
    {
        if (_logits is not null) ArrayPool<float>.Shared.Return(_logits);
        _logits = null;
    }

    /// <summary>A copy that goes its own way: many continuations of one prompt.</summary>
    public InferenceSession Fork()
    {
        var copy = new InferenceSession(Model, _cache.Clone(Model.Config), [.. _ids]);
        if (_logits is not null) copy.KeepLogits(_ids.Count - 1, Logits);
        return copy;
    }

    public void Dispose()
    {
        Rest();
        _cache.Dispose();
    }

    private ForwardRequest Append(ReadOnlySpan<int> newIds)
    {
        if (newIds.Length == 0) throw new ArgumentException("There are no ids to append; at least one is needed.", nameof(newIds));
        foreach (var id in newIds)
        {
            if (id < 0 || id >= Model.Config.VocabSize)
                throw new ArgumentOutOfRangeException(nameof(newIds), id, $"Not a token id of this model: vocab_size is {Model.Config.VocabSize}.");
        }

        _ids.AddRange(newIds);
        Rest();
        var context = Model.Config.BlockSize;
        if (_ids.Count > context) _cache.Truncate(0);
        var first = _ids.Count > context ? _ids.Count - context : _cache.Length;
        var fed = _ids.GetRange(first, _ids.Count - first).ToArray();
        return new ForwardRequest(_cache, fed, fed.Length - 1, KeepLogits);
    }

    private void KeepLogits(int position, ReadOnlySpan<float> logits)
    {
        _logits ??= ArrayPool<float>.Shared.Rent(logits.Length);
        logits.CopyTo(_logits);
    }
}
