// What a user holds: config, tokenizer and weights of one model, and the two ways to run it. Generation on the CPU packs
// the weights for the managed engine and never loads libtorch; training and Forward ask for the torch network, which
// from then on owns the weights. docs/decisions/001 says why there is one model and not two. How a model is loaded and
// saved is GPT.Pretrained.cs.

using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using NanoGpt.Formats;
using NanoGpt.Inference;
using NanoGpt.Native;
using NanoGpt.Tokenization;
using TorchSharp;
using static TorchSharp.torch;

namespace NanoGpt;

/// <summary>A GPT-2 model: its config, its tokenizer and its weights.</summary>
/// <remarks>
/// Generating from several threads at once is safe. Training, <see cref="Forward"/> and whatever else changes weights is
/// for one thread at a time, and not while another generates. Dispose it to give the memory back at once.
/// </remarks>
public sealed partial class GPT : IDisposable
{
    private readonly object _lock = new();
    private readonly Dtype _dtype;
    private readonly ILogger _log;
    private readonly Tokenizer? _tokenizer;
    private readonly int _seed;
    private string _device;
    private GPTWeights? _weights;   // as loaded; gone once the network owns them
    private GPTModel? _network;
    private InferenceModel? _engine;
    private ulong _engineFingerprint; // of the network's weights when the engine was packed
    private bool _disposed;

    /// <summary>A new model with nanoGPT's initial weights.</summary>
    /// <param name="config">Shape and arithmetic.</param>
    /// <param name="tokenizer">What turns text into ids below <see cref="GPTConfig.VocabSize"/>; null for GPT-2's.</param>
    /// <param name="seed">The same seed gives the same weights on the same kind of device.</param>
    /// <param name="device">Where the network lives: <c>cpu</c>, <c>cuda</c>, <c>cuda:1</c>, <c>mps</c>.</param>
    /// <exception cref="ArgumentException"><paramref name="config"/> is not valid, or smaller than the tokenizer's vocabulary.</exception>
    public GPT(GPTConfig config, Tokenizer? tokenizer = null, int seed = 1337, string device = "cpu")
        : this(Validated(config), tokenizer ?? Tokenizer.Gpt2, new PretrainedOptions { Device = device })
    {
        _seed = seed;
        if (Tokenizer.VocabSize > config.VocabSize)
        {
            throw new ArgumentException(
                $"The tokenizer has {Tokenizer.VocabSize} ids and the model only {config.VocabSize}: ids from there on would have no "
                + "embedding. Give the config the tokenizer's VocabSize.", nameof(config));
        }
    }

    private GPT(GPTConfig config, Tokenizer? tokenizer, PretrainedOptions options)
    {
        Config = config;
        _tokenizer = tokenizer;
        _dtype = options.Dtype;
        _device = options.Device;
        _log = (options.LoggerFactory ?? NullLoggerFactory.Instance).CreateLogger<GPT>();
    }

    /// <summary>Shape and arithmetic of the model.</summary>
    public GPTConfig Config { get; private set; }

    /// <summary>What turns text into token ids and back.</summary>
    /// <exception cref="ModelFormatException">The model was loaded from a folder without a vocabulary: only ids can go in and out.</exception>
    public Tokenizer Tokenizer => _tokenizer ?? throw new ModelFormatException(
        "The model's folder has no vocabulary (vocab.json with merges.txt, tokenizer.json or characters.json), so text can't be "
        + "turned into ids. Copy the vocabulary that it was trained with into the folder.");

    /// <summary><see cref="Tokenizer"/>, or null where there is none.</summary>
    internal Tokenizer? TokenizerOrNull => _tokenizer;

    /// <summary>
    /// The torch network, which owns the weights from the first time it is asked for. Loads libtorch.
    /// </summary>
    /// <remarks>Text generated later sees what an optimizer did to it. It is disposed with this object.</remarks>
    /// <exception cref="BackendException">libtorch, or the device, cannot be used.</exception>
    public GPTModel Network
    {
        get
        {
            lock (_lock) return _network ??= CreateNetwork();
        }
    }

    /// <summary>The managed engine with the weights as they are now.</summary>
    internal InferenceModel Engine
    {
        get
        {
            lock (_lock) return CurrentEngine();
        }
    }

    /// <summary>Computes logits, and the loss where targets are given, with the torch network.</summary>
    /// <param name="idx">Token ids, int64 (B, T), T at most <see cref="GPTConfig.BlockSize"/>.</param>
    /// <param name="targets">The id that should follow at each position, int64 (B, T); -1 is not counted. Null for inference.</param>
    /// <returns>
    /// With targets: float32 logits (B, T, V) and the mean cross entropy, a scalar. Without: the logits of the last position,
    /// (B, 1, V), and null. The caller disposes them.
    /// </returns>
    /// <exception cref="ArgumentException">A shape or type is not as above.</exception>
    /// <exception cref="BackendException">libtorch cannot be loaded.</exception>
    public (Tensor Logits, Tensor? Loss) Forward(Tensor idx, Tensor? targets = null) => Network.forward(idx, targets);

    /// <summary>Shortens the context: keeps the first positions and forgets the rest.</summary>
    /// <param name="blockSize">From 1 to the present <see cref="GPTConfig.BlockSize"/>. Make optimizers after this, not before.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="blockSize"/> is outside that range.</exception>
    public void CropBlockSize(int blockSize)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(blockSize, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(blockSize, Config.BlockSize);
        lock (_lock)
        {
            Config = Config with { BlockSize = blockSize };
            if (_weights is not null) _weights = _weights.CropBlockSize(blockSize);
            _network?.CropBlockSize(blockSize);
            _engine?.Dispose();
            _engine = null;
        }
    }

    /// <summary>Moves the network to another device, and makes it if there is none yet.</summary>
    /// <param name="device"><c>cpu</c>, <c>cuda</c>, <c>cuda:1</c> or <c>mps</c>. Make optimizers after this, not before.</param>
    /// <exception cref="BackendException">That device cannot be used on this machine.</exception>
    public GPT To(string device)
    {
        lock (_lock)
        {
            var target = TorchDevice.Open(device);
            _device = device;
            _network ??= CreateNetwork();
            _network.to(target);
        }

        return this;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_lock)
        {
            if (_disposed) return;
            _disposed = true;
            _engine?.Dispose();
            _network?.Dispose();
            _weights?.Dispose();
        }
    }

    private static GPTConfig Validated(GPTConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        config.Validate();
        return config;
    }

    private GPTModel CreateNetwork()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        Libtorch.EnsureLoaded(_log);
        var device = TorchDevice.Open(_device);

        using var scope = NewDisposeScope();
        using var state = random.get_rng_state(); // the caller's draws go on as if no model had been made
        try
        {
            random.manual_seed(_seed);
            var network = new GPTModel(Config, device);
            if (_weights is not null) TorchWeights.CopyInto(network, _weights);
            _engine?.LetGoOfSource();
            _weights?.Dispose();
            _weights = null;
            return network;
        }
        finally
        {
            random.set_rng_state(state);
        }
    }

    // Half precision is for the network on a GPU; the engine runs on the processor, in float32 then.
    private Dtype Precision => _dtype == Dtype.Float16 ? Dtype.Float32 : _dtype;

    private InferenceModel CurrentEngine()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_weights is not null) return _engine ??= InferenceModel.Open(_weights, Precision);

        _network ??= CreateNetwork();
        var fingerprint = TorchWeights.Fingerprint(_network);
        if (_engine is null || fingerprint != _engineFingerprint)
        {
            using var view = TorchWeights.View(_network);
            _engine?.Dispose();
            _engine = InferenceModel.Create(view, Precision);
            _engineFingerprint = fingerprint;
        }

        return _engine;
    }
}
