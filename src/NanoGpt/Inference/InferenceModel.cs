// A GPT as the managed CPU engine holds it: packed weights, kernels, threads. Knows token ids only; text, sampling and
// options are Generator's.

using NanoGpt.Formats;
using NanoGpt.Numerics;

namespace NanoGpt.Inference;

/// <summary>A model ready for inference on the CPU, without libtorch. Safe for concurrent use; passes run one after another.</summary>
internal sealed class InferenceModel : IDisposable
{
    private readonly object _gate = new();
    private readonly EngineWeights _weights;
    private readonly ForwardPass _pass;
    private readonly WorkerTeam _team;
    private readonly PassQueue _queue;
    private readonly bool _packsInBackground;
    private BackgroundPacking? _packing;
    private bool _isDisposed;

    private InferenceModel(GPTWeights source, Dtype precision, PanelKernels kernels, int threads, Packing packing)
    {
        Config = source.Config;
        Precision = precision;
        Kernels = kernels;
        _queue = new PassQueue(RunPass);
        _team = new WorkerTeam(threads);
        try
        {
            _weights = new EngineWeights(source, precision, kernels.PanelWidth);
            if (packing == Packing.AtOnce) foreach (var matrix in _weights.Matrices) matrix.Pack(_team);
            _packsInBackground = packing == Packing.InBackground;
            _pass = new ForwardPass(Config, _weights, kernels, _team);
        }
        catch
        {
            _weights?.Dispose();
            _team.Dispose();
            throw;
        }
    }

    public GPTConfig Config { get; }

    /// <summary>How the matrices are kept.</summary>
    public Dtype Precision { get; }

    /// <summary>Threads that share a pass.</summary>
    public int Threads => _team.Size;

    /// <summary>The arithmetic in use.</summary>
    public PanelKernels Kernels { get; }

    /// <summary>Bytes of weights, when all are packed.</summary>
    public long WeightBytes => _weights.Bytes;

    /// <summary>Packs the weights; <paramref name="weights"/> may be disposed afterwards.</summary>
    /// <param name="weights">The model.</param>
    /// <param name="precision">How the matrices are kept; biases, layer norms and positions stay float32. Not <see cref="Dtype.Float16"/>.</param>
    /// <param name="kernels">The arithmetic; null for the fastest that this processor can run.</param>
    /// <param name="threads">Threads that share a pass; 0 for as many as there are processors.</param>
    /// <exception cref="ModelFormatException">A weight is missing or does not fit the config.</exception>
    public static InferenceModel Create(
        GPTWeights weights, Dtype precision = Dtype.Float32, PanelKernels? kernels = null, int threads = 0)
    {
        weights.Config.Validate();
        return new InferenceModel(weights, precision, kernels ?? PanelKernels.Best, threads, Packing.AtOnce);
    }

    /// <summary>As <see cref="Create"/>, but ready at once: packs while it is used, and needs <paramref name="weights"/> until <see cref="LetGoOfSource"/> or Dispose.</summary>
    /// <inheritdoc cref="Create"/>
    public static InferenceModel Open(
        GPTWeights weights, Dtype precision = Dtype.Float32, PanelKernels? kernels = null, int threads = 0, Packing packing = Packing.InBackground)
    {
        weights.Config.Validate();
        return new InferenceModel(weights, precision, kernels ?? PanelKernels.Best, threads, packing);
    }

    /// <summary>Packs what is left, and waits for the pass under way, which may still read the source.</summary>
    public void LetGoOfSource()
    {
        lock (_gate)
        {
            if (_isDisposed) return;
            _packing?.Dispose();
            foreach (var matrix in _weights.Matrices) matrix.Pack(_team);
        }
    }

    /// <summary>A new, empty sequence.</summary>
    public InferenceSession CreateSession() => new(this);

    /// <summary>Runs new tokens of several sequences, together with what other threads ask for; a sequence may appear once.</summary>
    /// <exception cref="OperationCanceledException">Cancelled between two passes.</exception>
    public void Run(IReadOnlyList<ForwardRequest> requests, CancellationToken cancellationToken = default) =>
        _queue.Run(requests, cancellationToken);

    /// <inheritdoc cref="Run"/>
    public Task RunAsync(IReadOnlyList<ForwardRequest> requests, CancellationToken cancellationToken = default) =>
        _queue.RunAsync(requests, cancellationToken);

    public void Dispose()
    {
        lock (_gate)
        {
            if (_isDisposed) return;
            _isDisposed = true;
            _packing?.Dispose();
            _pass.Dispose();
            _weights.Dispose();
            _team.Dispose();
        }
    }

    private void RunPass(IReadOnlyList<ForwardRequest> requests)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            _pass.Run(requests);
            if (_packsInBackground) _packing ??= new BackgroundPacking(_weights); // not before: the first token is waited for
        }
    }
}

/// <summary>When an engine packs its matrices.</summary>
internal enum Packing
{
    /// <summary>Before it is used: the source may go.</summary>
    AtOnce,

    /// <summary>On a thread of its own, from the first pass on.</summary>
    InBackground,

    /// <summary>Never, which is slow: for tests.</summary>
    Never,
}
