// GPT-2 as a TorchSharp module: attention, MLP, block, the whole, the loss. Read it in one sitting, from top to bottom.
// It knows no file, tokenizer or training option. Module and parameter names are the checkpoint's (h.0.attn.c_attn.weight);
// matrices lie as nn.Linear keeps them, [out, in], where Hugging Face's files have [in, out] (Formats/ does that).
//
// Letters: B batch, T time (tokens), C = n_embd, nh heads, hs = C / nh head size, V vocabulary.

using NanoGpt.Autograd;
using NanoGpt.Native;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;
using F = TorchSharp.torch.nn.functional;

namespace NanoGpt;

/// <summary>A linear layer, whose product may be computed in another type than its weights are kept in.</summary>
/// <remarks>TorchSharp's own leaves its native half behind when it is disposed: docs/decisions/014-own-linear-layer.md.</remarks>
internal sealed class LinearLayer : Module<Tensor, Tensor>
{
    public readonly Parameter weight; // (out, in)
    private readonly Parameter? bias; // (out)

    /// <summary>The type of the product; null for the weights' own.</summary>
    public ScalarType? ProductType { get; set; }

    public LinearLayer(long inputs, long outputs, bool hasBias, Device device) : base(nameof(LinearLayer))
    {
        weight = new Parameter(empty(outputs, inputs, device: device));
        bias = hasBias ? new Parameter(empty(outputs, device: device)) : null;
        RegisterComponents();
    }

    /// <summary>x W^T + b.</summary>
    public override Tensor forward(Tensor x) => ProductType is { } type
        ? F.linear(x.to(type), weight.to(type), bias?.to(type)) // (..., in) -> (..., out)
        : F.linear(x, weight, bias);
}

/// <summary>Causal multi-head self-attention: each token gathers from those before it.</summary>
/// <remarks>Not thread safe while training. Disposed with the model.</remarks>
public sealed class CausalSelfAttention : Module<Tensor, Tensor>
{
    private readonly LinearLayer c_attn, c_proj;
    private readonly Dropout resid_dropout;
    private readonly long _heads;
    private readonly double _attentionDropout;
    private readonly double _queryScale;
    private readonly bool _upcast;

    internal ScalarType? ProductType { set => (c_attn.ProductType, c_proj.ProductType) = (value, value); }

    internal CausalSelfAttention(GPTConfig config, int layer, Device device) : base(nameof(CausalSelfAttention))
    {
        c_attn = new LinearLayer(config.NEmbd, 3 * config.NEmbd, config.Bias, device); // query, key and value of all heads at once
        c_proj = new LinearLayer(config.NEmbd, config.NEmbd, config.Bias, device);
        resid_dropout = Dropout(config.ResidualDropout);
        _heads = config.NHead;
        _attentionDropout = config.AttentionDropout;
        _upcast = config.ReorderAndUpcastAttention;

        // scaled_dot_product_attention divides by sqrt(hs) and takes no other scale: what differs goes into the queries.
        _queryScale = (config.ScaleAttentionWeights ? 1 : Math.Sqrt(config.HeadSize))
            / (config.ScaleAttentionByInverseLayerIndex ? layer + 1 : 1);
        RegisterComponents();
    }

    /// <summary>Attends within each row of the batch.</summary>
    /// <param name="x">(B, T, C), after the layer norm.</param>
    /// <returns>(B, T, C), to be added to the residual stream.</returns>
    public override Tensor forward(Tensor x)
    {
        long B = x.size(0), T = x.size(1), C = x.size(2);

        var qkv = c_attn.forward(x).chunk(3, dim: 2); // (B, T, 3C) -> 3 x (B, T, C)
        Tensor q = Heads(qkv[0]), k = Heads(qkv[1]), v = Heads(qkv[2]);
        if (_queryScale != 1) q = q.Times(_queryScale);

        var type = v.dtype;
        if (_upcast) (q, k, v) = (q.to(float32), k.to(float32), v.to(float32));
        var y = F.scaled_dot_product_attention(q, k, v, p: training ? _attentionDropout : 0, is_casual: true);
        if (_upcast) y = y.to(type);

        y = y.transpose(1, 2).contiguous().view(B, T, C); // (B, nh, T, hs) -> (B, T, C)
        return resid_dropout.forward(c_proj.forward(y));

        Tensor Heads(Tensor t) => t.view(B, T, _heads, C / _heads).transpose(1, 2); // (B, T, C) -> (B, nh, T, hs)
    }
}

/// <summary>The feed-forward half of a block: each token thinks for itself.</summary>
/// <remarks>Not thread safe while training. Disposed with the model.</remarks>
public sealed class MLP : Module<Tensor, Tensor>
{
    private readonly LinearLayer c_fc, c_proj;
    private readonly Dropout dropout;
    private readonly ActivationFunction _activation;

    internal ScalarType? ProductType { set => (c_fc.ProductType, c_proj.ProductType) = (value, value); }

    internal MLP(GPTConfig config, Device device) : base(nameof(MLP))
    {
        c_fc = new LinearLayer(config.NEmbd, config.InnerSize, config.Bias, device);
        c_proj = new LinearLayer(config.InnerSize, config.NEmbd, config.Bias, device);
        dropout = Dropout(config.ResidualDropout);
        _activation = config.Activation;
        RegisterComponents();
    }

    /// <summary>Widens, bends, narrows.</summary>
    /// <param name="x">(B, T, C), after the layer norm.</param>
    /// <returns>(B, T, C), to be added to the residual stream.</returns>
    public override Tensor forward(Tensor x) =>
        dropout.forward(c_proj.forward(Activate(c_fc.forward(x)))); // (B, T, C) -> (B, T, 4C) -> (B, T, C)

    private Tensor Activate(Tensor x) => _activation switch
    {
        ActivationFunction.GeluNew or ActivationFunction.GeluPytorchTanh => F.gelu(x, TorchSharp.Modules.GELU.Approximate.tanh),
        ActivationFunction.Gelu => F.gelu(x),
        ActivationFunction.Relu => F.relu(x),
        ActivationFunction.Silu => F.silu(x),
        _ => x.tanh(),
    };
}

/// <summary>One transformer block: attention, then MLP, each behind a layer norm and beside a residual connection.</summary>
/// <remarks>Not thread safe while training. Disposed with the model.</remarks>
public sealed class Block : Module<Tensor, Tensor>
{
    private readonly LayerNorm ln_1, ln_2;
    private readonly CausalSelfAttention attn;
    private readonly MLP mlp;

    internal ScalarType? ProductType { set => (attn.ProductType, mlp.ProductType) = (value, value); }

    internal Block(GPTConfig config, int layer, Device device) : base(nameof(Block))
    {
        ln_1 = LayerNorm([config.NEmbd], config.LayerNormEpsilon, bias: config.Bias, device: device);
        attn = new CausalSelfAttention(config, layer, device);
        ln_2 = LayerNorm([config.NEmbd], config.LayerNormEpsilon, bias: config.Bias, device: device);
        mlp = new MLP(config, device);
        RegisterComponents();
    }

    /// <summary>Runs the block on the residual stream.</summary>
    /// <param name="x">(B, T, C).</param>
    /// <returns>(B, T, C).</returns>
    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope(); // what autograd doesn't need is freed here, not at the end of the caller's step
        x = x.Plus(attn.forward(ln_1.forward(x))); // x + ..., safely: see Native/HeldNumbers.cs
        return x.Plus(mlp.forward(ln_2.forward(x))).MoveToOuterDisposeScope();
    }
}

/// <summary>GPT-2: embeddings, <see cref="GPTConfig.NLayer"/> blocks, a last layer norm, and the projection to the vocabulary.</summary>
/// <remarks>
/// Parameters are float32 and bear the names of the checkpoint. A tied output projection is not a parameter of its own:
/// it is <c>wte.weight</c>, so that an optimizer sees it once. Not thread safe while training.
/// </remarks>
public sealed class GPTModel : Module<Tensor, Tensor?, (Tensor Logits, Tensor? Loss)>
{
    private readonly Embedding wte, wpe;
    private readonly Dropout drop;
    private readonly ModuleList<Block> h;
    private readonly LayerNorm ln_f;
    private readonly LinearLayer? lm_head;
    private ScalarType? _productType;

    /// <summary>Builds the network with nanoGPT's initial weights, drawn from torch's global generator.</summary>
    /// <param name="config">Shape and arithmetic.</param>
    /// <param name="device">Where the parameters live; null for the CPU.</param>
    /// <exception cref="ArgumentException"><paramref name="config"/> is not valid.</exception>
    /// <exception cref="BackendException">libtorch cannot be loaded.</exception>
    public GPTModel(GPTConfig config, Device? device = null) : base(NameOnceTorchIsLoaded())
    {
        ArgumentNullException.ThrowIfNull(config);
        config.Validate();
        device ??= CPU;
        Config = config;

        wte = Embedding(config.VocabSize, config.NEmbd, device: device);
        wpe = Embedding(config.BlockSize, config.NEmbd, device: device);
        drop = Dropout(config.EmbeddingDropout);
        h = ModuleList(Enumerable.Range(0, config.NLayer).Select(layer => new Block(config, layer, device)).ToArray());
        ln_f = LayerNorm([config.NEmbd], config.LayerNormEpsilon, bias: config.Bias, device: device);
        lm_head = config.TieWordEmbeddings ? null : new LinearLayer(config.NEmbd, config.VocabSize, hasBias: false, device);
        RegisterComponents();
        foreach (var parameter in parameters()) parameter.DetachFromDisposeScope(); // the model owns them, not the caller's scope
        InitializeWeights();
    }

    /// <summary>Shape and arithmetic of this network.</summary>
    public GPTConfig Config { get; private set; }

    /// <summary>
    /// The type of the matrix products: bfloat16, which GPUs and newer CPUs compute faster, or null for the weights' own.
    /// Weights, residual stream, layer norms and loss stay float32.
    /// </summary>
    internal ScalarType? ProductType
    {
        get => _productType;
        set
        {
            _productType = value;
            foreach (var block in h) block.ProductType = value;
        }
    }

    /// <summary>Whether a block keeps only its input for the backward pass and computes the rest again: less memory, a third more time.</summary>
    internal bool RecomputesBlocks { get; set; }

    /// <summary>The blocks, in order.</summary>
    public IReadOnlyList<Block> Blocks => [.. h];

    /// <summary>Where the parameters live.</summary>
    public Device Device => wte.weight!.device;

    /// <summary>Computes logits, and the loss where targets are given.</summary>
    /// <param name="idx">Token ids, int64 (B, T), T at most <see cref="GPTConfig.BlockSize"/>.</param>
    /// <param name="targets">The id that should follow at each position, int64 (B, T); -1 is not counted. Null for inference.</param>
    /// <returns>
    /// With targets: logits (B, T, V) and the mean cross entropy, a scalar. Without: the logits of the last position,
    /// (B, 1, V), and null.
    /// </returns>
    /// <exception cref="ArgumentException">A shape or type is not as above.</exception>
    public override (Tensor Logits, Tensor? Loss) forward(Tensor idx, Tensor? targets)
    {
        var x = Hidden(idx);
        if (targets is null)
            return (Logits(x.narrow(1, x.size(1) - 1, 1)), null); // (B, T, C) -> (B, 1, C) -> (B, 1, V)

        CheckTargets(idx, targets);
        var logits = Logits(x);
        var loss = F.cross_entropy(logits.view(-1, logits.size(2)), targets.view(-1), ignore_index: -1);
        return (logits, loss);
    }

    /// <summary>The loss that <see cref="forward"/> gives, without ever holding all logits: less memory, and what training uses.</summary>
    /// <param name="idx">As for <see cref="forward"/>.</param>
    /// <param name="targets">As for <see cref="forward"/>.</param>
    /// <returns>The mean cross entropy, a float32 scalar. Its gradient can be taken once.</returns>
    /// <exception cref="ArgumentException">A shape or type is not as there.</exception>
    public Tensor Loss(Tensor idx, Tensor targets)
    {
        ArgumentNullException.ThrowIfNull(targets);
        using var scope = NewDisposeScope(); // the graph alone holds what it needs, and lets go of it while backward runs
        var x = ln_f.forward(Hidden(idx)).view(-1, Config.NEmbd); // (B, T, C) -> (B T, C)
        CheckTargets(idx, targets);
        return ProjectedCrossEntropy.Of(x, (lm_head?.weight ?? wte.weight)!, targets.view(-1), ProductType).MoveToOuterDisposeScope();
    }

    private Tensor Hidden(Tensor idx)
    {
        var x = Embed(idx);
        var isRandom = training && (Config.ResidualDropout > 0 || Config.AttentionDropout > 0);
        foreach (var block in h) x = RecomputesBlocks && x.requires_grad ? Recomputed.Run(block, x, isRandom) : block.forward(x);
        return x;
    }

    /// <summary>The first half of <see cref="forward"/>: token plus position embedding.</summary>
    /// <param name="idx">Token ids, int64 (B, T).</param>
    /// <returns>The residual stream before the first block, (B, T, C).</returns>
    /// <exception cref="ArgumentException">A shape or type is not as above.</exception>
    public Tensor Embed(Tensor idx)
    {
        ArgumentNullException.ThrowIfNull(idx);
        if (idx.dtype != int64 || idx.dim() != 2 || idx.size(1) < 1 || idx.size(1) > Config.BlockSize)
            throw new ArgumentException($"idx is {Describe(idx)}; must be int64 (B, T) with T from 1 to block_size ({Config.BlockSize}).", nameof(idx));

        var positions = HeldNumbers.Counting(idx.size(1), idx.device); // (T)
        return drop.forward(wte.forward(idx).Plus(wpe.forward(positions))); // (B, T, C) + (T, C) -> (B, T, C)
    }

    /// <summary>The last step of <see cref="forward"/>: layer norm and projection to the vocabulary.</summary>
    /// <param name="x">The residual stream after the last block, (B, T, C).</param>
    /// <returns>Logits, (B, T, V).</returns>
    public Tensor Logits(Tensor x)
    {
        x = ln_f.forward(x);
        var weight = (lm_head?.weight ?? wte.weight)!;
        return ProductType is { } product ? F.linear(x.to(product), weight.to(product)).to(x.dtype) : F.linear(x, weight);
    }

    /// <summary>Shortens the context: keeps the first positions and forgets the rest.</summary>
    /// <param name="blockSize">From 1 to the present <see cref="GPTConfig.BlockSize"/>. Make optimizers after this, not before.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="blockSize"/> is outside that range.</exception>
    public void CropBlockSize(int blockSize)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(blockSize, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(blockSize, Config.BlockSize);
        using var _ = no_grad();
        wpe.weight = new Parameter(wpe.weight!.narrow(0, 0, blockSize).clone());
        wpe.weight.DetachFromDisposeScope();
        Config = Config with { BlockSize = blockSize };
    }

    // nanoGPT model.py: normal weights, zero biases; projections into the residual stream are scaled down by the number
    // of additions to it (GPT-2 paper 2.3).
    private void InitializeWeights()
    {
        using var _ = no_grad();
        var deviation = Config.InitializerRange;
        foreach (var (name, parameter) in named_parameters())
        {
            if (name.EndsWith("c_proj.weight", StringComparison.Ordinal))
                init.normal_(parameter, 0, deviation / Math.Sqrt(2 * Config.NLayer));
            else if (parameter.dim() == 2)
                init.normal_(parameter, 0, deviation);
            else if (name.EndsWith("bias", StringComparison.Ordinal))
                init.zeros_(parameter);
        }
    }

    // The base constructor is a call to torch already.
    private static string NameOnceTorchIsLoaded()
    {
        Libtorch.EnsureLoaded();
        return nameof(GPTModel);
    }

    private static void CheckTargets(Tensor idx, Tensor targets)
    {
        if (targets.dtype != int64 || !targets.shape.SequenceEqual(idx.shape))
            throw new ArgumentException($"targets is {Describe(targets)}; must be int64 of idx's shape, {Describe(idx)}.", nameof(targets));
    }

    private static string Describe(Tensor tensor) => $"{tensor.dtype} ({string.Join(", ", tensor.shape)})";
}
