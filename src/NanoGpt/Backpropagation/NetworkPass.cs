// The whole network forward and backward on the CPU, without autograd: the loss of a batch and its gradients by all
// parameters. GPTModel.cs says what is computed, and is the slow path that proves it; here it is done in plain C#, without
// dropout. Knows memory, no tensors.
//
// Letters: B sequences, T tokens of each, N = B T, C = n_embd, V vocabulary.

namespace NanoGpt.Backpropagation;

/// <summary>Loss and gradients for batches of one shape.</summary>
/// <remarks>
/// The same numbers come out to the bit whatever the number of threads. Not thread safe. Holds the memory of all
/// activations until disposed, so that a step allocates nothing.
/// </remarks>
internal sealed unsafe class NetworkPass : IDisposable
{
    private readonly GPTConfig _config;
    private readonly int _length, _tokens;
    private readonly bool _recomputes;
    private readonly Workbench _bench;
    private readonly EmbeddingPass _embedding;
    private readonly LayerNormPass _lastNorm;
    private readonly BlockPass _block;
    private readonly CrossEntropyPass _loss;
    private readonly FloatArena _room;
    private readonly BlockValues[] _kept;
    private readonly float*[] _stream;
    private readonly float* _normed, _slope, _normedSlope;

    /// <summary>Makes room for batches of a shape.</summary>
    /// <param name="config">The model.</param>
    /// <param name="sequences">B.</param>
    /// <param name="length">T, at most the model's block size.</param>
    /// <param name="recomputes">Whether to keep only the input of each block and compute the rest again on the way back.</param>
    /// <param name="kernels">The instructions to use; null for the best.</param>
    /// <param name="threads">How many threads; 0 for as many as processors.</param>
    public NetworkPass(GPTConfig config, int sequences, int length, bool recomputes = false, GradientKernels? kernels = null, int threads = 0)
    {
        (_config, _length, _tokens, _recomputes) = (config, length, sequences * length, recomputes);
        var stream = (long)_tokens * config.NEmbd;
        var keptBlocks = recomputes ? 1 : config.NLayer;
        _room = new FloatArena((config.NLayer + 1 + 3) * FloatArena.SizeOf(stream) + keptBlocks * BlockValues.Size(_tokens, config));
        _bench = new Workbench(kernels ?? GradientKernels.Best, threads);
        _embedding = new EmbeddingPass(_bench, config);
        _lastNorm = new LayerNormPass(_bench, config.NEmbd, (float)config.LayerNormEpsilon);
        try
        {
            _block = new BlockPass(_bench, config, sequences, length);
            _loss = new CrossEntropyPass(_bench, config, _tokens);
        }
        catch (OutOfMemoryException)
        {
            _bench.Dispose(); // threads, which nobody else would end
            throw;
        }

        _stream = new float*[config.NLayer + 1];
        for (var i = 0; i < _stream.Length; i++) _stream[i] = _room.Take(stream);
        _normed = _room.Take(stream);
        _slope = _room.Take(stream);
        _normedSlope = _room.Take(stream);
        _kept = [.. Enumerable.Range(0, keptBlocks).Select(_ => new BlockValues(_room, _tokens, config))];
    }

    /// <summary>The loss of a batch.</summary>
    /// <param name="weights">The parameters.</param>
    /// <param name="ids">(B, T) token ids.</param>
    /// <param name="targets">(B, T) ids that should follow; -1 is not counted.</param>
    /// <returns>The mean cross entropy.</returns>
    /// <exception cref="ArgumentException">An id is not in the vocabulary.</exception>
    public double Loss(NetworkWeights weights, ReadOnlySpan<long> ids, ReadOnlySpan<long> targets)
    {
        Check(ids, targets);
        fixed (long* id = ids, target = targets)
        {
            Forward(weights, id);
            return _loss.Loss(_normed, weights.Head, target, inputGradient: null, scale: 1);
        }
    }

    /// <summary>The loss of a batch, and its gradients.</summary>
    /// <param name="weights">The parameters, and where their gradients go.</param>
    /// <param name="ids">(B, T) token ids.</param>
    /// <param name="targets">(B, T) ids that should follow; -1 is not counted.</param>
    /// <param name="scale">What the gradients are multiplied by: 1 over the number of micro batches.</param>
    /// <param name="adds">Whether gradients are added to those that are there, as from the second micro batch on.</param>
    /// <returns>The mean cross entropy.</returns>
    /// <exception cref="ArgumentException">An id is not in the vocabulary.</exception>
    public double LossAndGradients(NetworkWeights weights, ReadOnlySpan<long> ids, ReadOnlySpan<long> targets, double scale, bool adds)
    {
        Check(ids, targets);
        _bench.AddsGradients = adds;
        fixed (long* id = ids, target = targets)
        {
            Forward(weights, id);
            var loss = _loss.Loss(_normed, weights.Head, target, _normedSlope, scale);
            Backward(weights, id);
            return loss;
        }
    }

    public void Dispose()
    {
        _block.Dispose();
        _loss.Dispose();
        _room.Dispose();
        _bench.Dispose();
    }

    private void Forward(NetworkWeights weights, long* ids)
    {
        _embedding.Forward(_tokens, _length, ids, weights.Tokens, weights.Positions, _stream[0]);
        for (var layer = 0; layer < _config.NLayer; layer++)
            _block.Forward(layer, weights.Blocks[layer], Kept(layer), _stream[layer], _stream[layer + 1]);
        _lastNorm.Forward(_tokens, _stream[^1], weights.LastNorm, _normed);
    }

    private void Backward(NetworkWeights weights, long* ids)
    {
        new Span<float>(_slope, _tokens * _config.NEmbd).Clear();
        _lastNorm.Backward(_tokens, _stream[^1], _normedSlope, weights.LastNorm, _slope);
        for (var layer = _config.NLayer - 1; layer >= 0; layer--)
        {
            if (_recomputes) _block.Forward(layer, weights.Blocks[layer], Kept(layer), _stream[layer], y: null);
            _block.Backward(layer, weights.Blocks[layer], Kept(layer), _stream[layer], _slope);
        }

        _embedding.Backward(_tokens, _length, ids, _slope, weights.Tokens, weights.Positions);
    }

    private BlockValues Kept(int layer) => _kept[_recomputes ? 0 : layer];

    private void Check(ReadOnlySpan<long> ids, ReadOnlySpan<long> targets)
    {
        if (ids.Length != _tokens || targets.Length != _tokens)
            throw new ArgumentException($"{ids.Length} ids and {targets.Length} targets; this pass is for {_tokens} of each.");
        foreach (var id in ids)
            if (id < 0 || id >= _config.VocabSize) throw new ArgumentException($"Token id {id} is not in the vocabulary of {_config.VocabSize}.", nameof(ids));
        foreach (var id in targets)
            if (id < -1 || id >= _config.VocabSize) throw new ArgumentException($"Target {id} is neither -1 nor in the vocabulary of {_config.VocabSize}.", nameof(targets));
    }
}
