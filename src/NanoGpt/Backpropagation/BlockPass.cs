// One block forward and backward: attention, then MLP, each behind a layer norm and beside a residual connection. The way
// forward is GPTModel.cs's Block; the way back takes its steps in the other order.
//
// Letters: N = B T tokens, C = n_embd, I the MLP's inner width.

namespace NanoGpt.Backpropagation;

/// <summary>The steps of a block, and room for what they don't keep: one for all blocks of a network. Not thread safe.</summary>
internal sealed unsafe class BlockPass : IDisposable
{
    private readonly GPTConfig _config;
    private readonly int _tokens;
    private readonly LayerNormPass _norm;
    private readonly LinearPass _queryKeyValue, _attentionProjection, _mlpIn, _mlpProjection;
    private readonly AttentionPass _attention;
    private readonly ActivationPass _activation;
    private readonly FloatArena _room;
    private readonly float* _normed, _normedSlope, _active, _wideSlope;

    /// <param name="bench">Threads and arithmetic.</param>
    /// <param name="config">The model.</param>
    /// <param name="sequences">Sequences in a batch.</param>
    /// <param name="length">Tokens of a sequence.</param>
    public BlockPass(Workbench bench, GPTConfig config, int sequences, int length)
    {
        (_config, _tokens) = (config, sequences * length);
        int C = config.NEmbd, I = config.InnerSize;
        _norm = new LayerNormPass(bench, C, (float)config.LayerNormEpsilon);
        _queryKeyValue = new LinearPass(bench, C, 3 * C);
        _attention = new AttentionPass(bench, config, sequences, length);
        _attentionProjection = new LinearPass(bench, C, C);
        _mlpIn = new LinearPass(bench, C, I);
        _activation = new ActivationPass(bench, config.Activation, I);
        _mlpProjection = new LinearPass(bench, I, C);

        long narrow = (long)_tokens * C, wide = (long)_tokens * Math.Max(3 * C, I);
        _room = new FloatArena(2 * FloatArena.SizeOf(narrow) + 2 * FloatArena.SizeOf(wide));
        _normed = _room.Take(narrow);
        _normedSlope = _room.Take(narrow);
        _active = _room.Take(wide);
        _wideSlope = _room.Take(wide);
    }

    /// <summary>Runs the block.</summary>
    /// <param name="layer">Its number, which attention may divide by.</param>
    /// <param name="weights">Its parameters.</param>
    /// <param name="kept">Gets what the way back needs.</param>
    /// <param name="x">The residual stream before it, (N, C).</param>
    /// <param name="y">Gets the residual stream after it, (N, C); null where only what is kept is wanted, again.</param>
    public void Forward(int layer, BlockWeights weights, BlockValues kept, float* x, float* y)
    {
        _norm.Forward(_tokens, x, weights.AttentionNorm, _normed);
        _queryKeyValue.Forward(_tokens, _normed, weights.QueryKeyValue, kept.QueryKeyValue); // (N, C) -> (N, 3 C)
        _attention.Forward(kept.QueryKeyValue, ScoreScale(layer), kept.Attention);                                              // (N, 3 C) -> (N, C)
        _attentionProjection.Forward(_tokens, kept.Attention, weights.AttentionProjection, kept.Middle, plus: x);

        _norm.Forward(_tokens, kept.Middle, weights.MlpNorm, _normed);
        _mlpIn.Forward(_tokens, _normed, weights.MlpIn, kept.Inner); // (N, C) -> (N, I)
        if (y is null) return;
        _activation.Forward(_tokens, kept.Inner, _active);
        _mlpProjection.Forward(_tokens, _active, weights.MlpProjection, y, plus: kept.Middle); // (N, I) -> (N, C)
    }

    /// <summary>The gradients by the block's parameters, and by its input.</summary>
    /// <param name="layer">As on the way forward.</param>
    /// <param name="weights">As on the way forward.</param>
    /// <param name="kept">What was kept then.</param>
    /// <param name="x">As on the way forward.</param>
    /// <param name="slope">The gradient by y, (N, C); becomes that by x.</param>
    public void Backward(int layer, BlockWeights weights, BlockValues kept, float* x, float* slope)
    {
        // y = middle + active W^T + b, active = f(inner), inner = norm(middle) W^T + b
        _mlpProjection.InputGradient(_tokens, slope, weights.MlpProjection, _wideSlope); // (N, C) -> (N, I)
        _activation.Backward(_tokens, kept.Inner, _wideSlope, _active);
        _mlpProjection.WeightGradient(_tokens, _active, slope, weights.MlpProjection);
        _norm.Forward(_tokens, kept.Middle, weights.MlpNorm, _normed);
        _mlpIn.WeightGradient(_tokens, _normed, _wideSlope, weights.MlpIn);
        _mlpIn.InputGradient(_tokens, _wideSlope, weights.MlpIn, _normedSlope); // (N, I) -> (N, C)
        _norm.Backward(_tokens, kept.Middle, _normedSlope, weights.MlpNorm, slope);

        // middle = x + attention W^T + b, attention = attend(norm(x) W^T + b)
        _attentionProjection.WeightGradient(_tokens, kept.Attention, slope, weights.AttentionProjection);
        _attentionProjection.InputGradient(_tokens, slope, weights.AttentionProjection, _normedSlope);
        _attention.Backward(kept.QueryKeyValue, kept.Attention, _normedSlope, ScoreScale(layer), _wideSlope); // (N, C) -> (N, 3 C)
        _norm.Forward(_tokens, x, weights.AttentionNorm, _normed);
        _queryKeyValue.WeightGradient(_tokens, _normed, _wideSlope, weights.QueryKeyValue);
        _queryKeyValue.InputGradient(_tokens, _wideSlope, weights.QueryKeyValue, _normedSlope); // (N, 3 C) -> (N, C)
        _norm.Backward(_tokens, x, _normedSlope, weights.AttentionNorm, slope);
    }

    public void Dispose()
    {
        _attention.Dispose();
        _room.Dispose();
    }

    private float ScoreScale(int layer) =>
        (float)((_config.ScaleAttentionWeights ? 1 / Math.Sqrt(_config.HeadSize) : 1) / (_config.ScaleAttentionByInverseLayerIndex ? layer + 1 : 1));
}
