// A GPT as the managed CPU engine holds it: packed weights, kernels, threads. Knows token ids only; text, sampling and
// options are Generator's.

using NanoGpt.Formats;

namespace NanoGpt.Inference;

/// <summary>A model ready for inference on the CPU, without libtorch. Safe for concurrent use; passes run one after another.</summary>
internal sealed class InferenceModel : IDisposable
{
    /// <summary>New tokens that go through the network in one pass: bounds memory, and how long another caller waits.</summary>
    private const int PassTokens = 512;

    private readonly object gate = new();
    private readonly EngineWeights weights;
    private readonly ForwardPass pass;
    private readonly WorkerTeam team;
    private bool isDisposed;

    private InferenceModel(GPTWeights source, WeightPrecision precision, Kernels kernels, int threads)
    {
        Config = source.Config;
        Precision = precision;
        Kernels = kernels;
        team = new WorkerTeam(threads);
        try
        {
            weights = new EngineWeights(source, precision, kernels.PanelWidth, team);
            pass = new ForwardPass(Config, weights, kernels, team);
        }
        catch
        {
            team.Dispose();
            throw;
        }
    }

    public GPTConfig Config { get; }

    public WeightPrecision Precision { get; }

    /// <summary>The arithmetic in use.</summary>
    public Kernels Kernels { get; }

    /// <summary>Bytes of packed weights.</summary>
    public long WeightBytes => weights.Bytes;

    /// <summary>Packs the weights; <paramref name="weights"/> may be disposed afterwards.</summary>
    /// <param name="weights">The model.</param>
    /// <param name="precision">How the matrices are kept.</param>
    /// <param name="kernels">The arithmetic; null for the fastest that this processor can run.</param>
    /// <param name="threads">Threads that share a pass; 0 for as many as there are processors.</param>
    /// <exception cref="ModelFormatException">A weight is missing or does not fit the config.</exception>
    public static InferenceModel Create(
        GPTWeights weights, WeightPrecision precision = WeightPrecision.Float32, Kernels? kernels = null, int threads = 0)
    {
        weights.Config.Validate();
        return new InferenceModel(weights, precision, kernels ?? Kernels.Best, threads);
    }

    /// <summary>A new, empty sequence.</summary>
    public InferenceSession CreateSession() => new(this);

    /// <summary>Runs new tokens of several sequences together; a sequence may appear once.</summary>
    public void Run(IReadOnlyList<ForwardRequest> requests)
    {
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(isDisposed, this);
            foreach (var batch in Split(requests)) pass.Run(batch);
        }
    }

    public void Dispose()
    {
        lock (gate)
        {
            if (isDisposed) return;
            isDisposed = true;
            pass.Dispose();
            weights.Dispose();
            team.Dispose();
        }
    }

    /// <summary>Cuts long prompts and large batches so that no pass has more than <see cref="PassTokens"/> tokens.</summary>
    private static IEnumerable<IReadOnlyList<ForwardRequest>> Split(IReadOnlyList<ForwardRequest> requests)
    {
        var batch = new List<ForwardRequest>();
        var tokens = 0;
        foreach (var request in requests)
        {
            for (var start = 0; start < request.Ids.Length;)
            {
                var count = Math.Min(request.Ids.Length - start, PassTokens - tokens);
                batch.Add(request with
                {
                    Ids = request.Ids.Slice(start, count),
                    FirstOutput = Math.Clamp(request.FirstOutput - start, 0, count),
                });
                start += count;
                tokens += count;
                if (tokens < PassTokens) continue;
                yield return batch;
                batch = [];
                tokens = 0;
            }
        }

        if (batch.Count > 0) yield return batch;
    }
}
