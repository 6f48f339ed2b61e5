// The shape and the arithmetic of a GPT-2 model: what config.json says and nothing else. Reading and writing that file
// is Formats/ConfigJson.cs; how the network is trained is TrainerOptions.cs.

namespace NanoGpt;

/// <summary>The nonlinearity between the two matrices of the MLP, by its name in config.json.</summary>
public enum ActivationFunction
{
    /// <summary><c>gelu_new</c>: GELU by its tanh approximation, as in GPT-2's own code. Hugging Face's default.</summary>
    GeluNew,

    /// <summary><c>gelu_pytorch_tanh</c>: the same function as <see cref="GeluNew"/>, under PyTorch's name.</summary>
    GeluPytorchTanh,

    /// <summary><c>gelu</c>: exact GELU, by the error function. What nanoGPT trains with.</summary>
    Gelu,

    /// <summary><c>relu</c>.</summary>
    Relu,

    /// <summary><c>silu</c>, also called swish.</summary>
    Silu,

    /// <summary><c>tanh</c>.</summary>
    Tanh,
}

/// <summary>The shape and arithmetic of a GPT-2 model. Immutable, so safe to share between threads.</summary>
/// <remarks>
/// The defaults are GPT-2 124M as Hugging Face publishes it, apart from dropout, which is 0 as in nanoGPT.
/// Names in config.json are given with each property.
/// </remarks>
public sealed record GPTConfig
{
    /// <summary>Number of token ids (<c>vocab_size</c>).</summary>
    /// <value>Default 50257, the GPT-2 vocabulary. At least 1.</value>
    public int VocabSize { get; init; } = 50257;

    /// <summary>The longest context in tokens (<c>n_positions</c>; nanoGPT's <c>block_size</c>).</summary>
    /// <value>Default 1024. At least 1.</value>
    public int BlockSize { get; init; } = 1024;

    /// <summary>Number of transformer blocks (<c>n_layer</c>).</summary>
    /// <value>Default 12. At least 1.</value>
    public int NLayer { get; init; } = 12;

    /// <summary>Number of attention heads in each block (<c>n_head</c>).</summary>
    /// <value>Default 12. At least 1, and a divisor of <see cref="NEmbd"/>.</value>
    public int NHead { get; init; } = 12;

    /// <summary>Width of the residual stream (<c>n_embd</c>).</summary>
    /// <value>Default 768. At least 1.</value>
    public int NEmbd { get; init; } = 768;

    /// <summary>Width inside the MLP (<c>n_inner</c>), or null for 4 times <see cref="NEmbd"/>.</summary>
    public int? NInner { get; init; }

    /// <summary>Nonlinearity of the MLP (<c>activation_function</c>).</summary>
    /// <value>Default <see cref="ActivationFunction.GeluNew"/>.</value>
    public ActivationFunction Activation { get; init; } = ActivationFunction.GeluNew;

    /// <summary>Added to the variance in each layer norm (<c>layer_norm_epsilon</c>).</summary>
    /// <value>Default 1e-5. Above 0.</value>
    public double LayerNormEpsilon { get; init; } = 1e-5;

    /// <summary>Dropout after the embeddings while training (<c>embd_pdrop</c>).</summary>
    /// <value>Default 0. From 0 up to, not including, 1.</value>
    public double EmbeddingDropout { get; init; }

    /// <summary>Dropout of the attention weights while training (<c>attn_pdrop</c>).</summary>
    /// <value>Default 0. From 0 up to, not including, 1.</value>
    public double AttentionDropout { get; init; }

    /// <summary>Dropout after each projection into the residual stream while training (<c>resid_pdrop</c>).</summary>
    /// <value>Default 0. From 0 up to, not including, 1.</value>
    public double ResidualDropout { get; init; }

    /// <summary>Whether linear layers and layer norms have a bias (nanoGPT's <c>bias</c>).</summary>
    /// <value>Default true, as in GPT-2. transformers has no such option: without bias, zeros are saved.</value>
    public bool Bias { get; init; } = true;

    /// <summary>Whether attention scores are divided by the square root of the head size (<c>scale_attn_weights</c>).</summary>
    /// <value>Default true.</value>
    public bool ScaleAttentionWeights { get; init; } = true;

    /// <summary>Whether block i divides its scores by i + 1 too (<c>scale_attn_by_inverse_layer_idx</c>; Mistral's GPT-2s).</summary>
    /// <value>Default false.</value>
    public bool ScaleAttentionByInverseLayerIndex { get; init; }

    /// <summary>Whether attention scores are computed in float32 whatever the weights are (<c>reorder_and_upcast_attn</c>).</summary>
    /// <value>Default false. In float32 it changes nothing.</value>
    public bool ReorderAndUpcastAttention { get; init; }

    /// <summary>Whether the output projection is the token embedding (<c>tie_word_embeddings</c>).</summary>
    /// <value>Default true.</value>
    public bool TieWordEmbeddings { get; init; } = true;

    /// <summary>Standard deviation of the initial weights (<c>initializer_range</c>).</summary>
    /// <value>Default 0.02. Above 0.</value>
    public double InitializerRange { get; init; } = 0.02;

    /// <summary>The id that begins a text (<c>bos_token_id</c>), or null where there is none.</summary>
    public int? BosTokenId { get; init; }

    /// <summary>The id that ends a text (<c>eos_token_id</c>), or null where there is none.</summary>
    public int? EosTokenId { get; init; }

    /// <summary>GPT-2, 124 million parameters.</summary>
    public static GPTConfig Gpt2 { get; } = new() { BosTokenId = 50256, EosTokenId = 50256 };

    /// <summary>GPT-2 medium, 355 million parameters.</summary>
    public static GPTConfig Gpt2Medium { get; } = Gpt2 with { NLayer = 24, NHead = 16, NEmbd = 1024 };

    /// <summary>GPT-2 large, 774 million parameters.</summary>
    public static GPTConfig Gpt2Large { get; } = Gpt2 with { NLayer = 36, NHead = 20, NEmbd = 1280 };

    /// <summary>GPT-2 xl, 1558 million parameters.</summary>
    public static GPTConfig Gpt2XL { get; } = Gpt2 with { NLayer = 48, NHead = 25, NEmbd = 1600 };

    /// <summary>DistilGPT2, 82 million parameters.</summary>
    public static GPTConfig DistilGpt2 { get; } = Gpt2 with { NLayer = 6 };

    /// <summary>Width of one attention head: <see cref="NEmbd"/> / <see cref="NHead"/>.</summary>
    public int HeadSize => NEmbd / NHead;

    /// <summary>Width inside the MLP: <see cref="NInner"/>, or 4 times <see cref="NEmbd"/>.</summary>
    public int InnerSize => NInner ?? 4 * NEmbd;

    /// <summary>Number of parameters; a tied output projection counts once.</summary>
    /// <param name="includePositions">Whether the position embedding counts. nanoGPT's figure leaves it out.</param>
    public long CountParameters(bool includePositions = true)
    {
        long c = NEmbd, inner = InnerSize, bias = Bias ? 1 : 0;
        var layerNorm = c + bias * c;
        var attention = 3 * c * c + bias * 3 * c + c * c + bias * c;
        var mlp = 2 * c * inner + bias * (inner + c);
        var embeddings = VocabSize * c * (TieWordEmbeddings ? 1 : 2) + (includePositions ? BlockSize * c : 0);
        return embeddings + NLayer * (2 * layerNorm + attention + mlp) + layerNorm;
    }

    /// <summary>Checks every value and names all that are wrong at once.</summary>
    /// <exception cref="ArgumentException">A value is out of its range, or two contradict each other.</exception>
    public void Validate()
    {
        var faults = Faults().ToList();
        if (faults.Count > 0)
            throw new ArgumentException("GPTConfig is not valid: " + string.Join("; ", faults) + ".");
    }

    /// <summary>What <see cref="Validate"/> would complain of, one clause each.</summary>
    internal IEnumerable<string> Faults()
    {
        foreach (var (name, value) in new[]
        {
            ("vocab_size", VocabSize), ("n_positions", BlockSize), ("n_layer", NLayer), ("n_head", NHead),
            ("n_embd", NEmbd), ("n_inner", NInner ?? 1),
        })
        {
            if (value < 1) yield return $"{name} is {value}, must be at least 1";
        }

        if (NHead > 0 && NEmbd > 0 && NEmbd % NHead != 0)
            yield return $"n_embd ({NEmbd}) is not divisible by n_head ({NHead})";
        if (NInner is null && NEmbd > int.MaxValue / 4) yield return $"n_embd is {NEmbd}, too large for an MLP 4 times as wide";

        foreach (var (name, value) in new[]
        {
            ("embd_pdrop", EmbeddingDropout), ("attn_pdrop", AttentionDropout), ("resid_pdrop", ResidualDropout),
        })
        {
            if (!(value >= 0 && value < 1)) yield return FormattableString.Invariant($"{name} is {value}, must be from 0 up to, not including, 1");
        }

        foreach (var (name, value) in new[] { ("layer_norm_epsilon", LayerNormEpsilon), ("initializer_range", InitializerRange) })
        {
            if (!(value > 0 && double.IsFinite(value))) yield return FormattableString.Invariant($"{name} is {value}, must be above 0");
        }

        foreach (var (name, value) in new[] { ("bos_token_id", BosTokenId), ("eos_token_id", EosTokenId) })
        {
            // An id outside the vocabulary is common in small models that keep GPT-2's default: it never matches.
            if (value < 0) yield return $"{name} is {value}, must be null or a token id";
        }

        if (!Enum.IsDefined(Activation)) yield return $"activation_function is {(int)Activation}, not a known one";
    }
}
