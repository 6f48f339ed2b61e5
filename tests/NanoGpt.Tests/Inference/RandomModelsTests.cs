// The fast path equals the slow path (promise 6): random configurations, prompts and batches, past the context too, against
// a plain GPT in double precision and against the torch network. NANOGPT_LONG=1 runs the long form.

using System.Globalization;
using NanoGpt.Inference;
using NanoGpt.Native;
using static TorchSharp.torch;

namespace NanoGpt.Tests.Inference;

public sealed class RandomModelsTests
{
    private const int Steps = 8;

    // Logits of about 1 to 30, float32 against double. Attention scores that no option scales down reach hundreds here, so
    // their rounding is some 1e-5, and each layer passes it on enlarged: 3e-4 is the most in 1,000 configurations.
    private const double Tolerance = 1e-3;

    private double _largestError;
    private int _choices;
    private int _ties;

    [Fact]
    public void Engine_torch_and_the_slow_path_choose_the_same_ids()
    {
        Libtorch.EnsureLoaded();
        var count = Environment.GetEnvironmentVariable("NANOGPT_LONG") == "1" ? 1000 : 30;
        for (var seed = 0; seed < count; seed++) CheckConfiguration(seed);
        Assert.True(_ties <= _choices / 500, $"{_ties} of {_choices} choices were nearly ties: the test says little.");
        TestContext.Current.TestOutputHelper?.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{count} configurations, {_choices} choices, {_ties} of them nearly ties, largest error of a logit {_largestError:E1}"));
    }

    private void CheckConfiguration(int seed)
    {
        var random = new Random(seed);
        var config = RandomConfig(random);
        using var weights = MadeModels.Random(config, seed, scale: 0.5);
        var kernels = PanelKernels.Supported[random.Next(PanelKernels.Supported.Count)];
        var packing = (Packing)(seed % 3);
        using var model = InferenceModel.Open(weights, Dtype.Float32, kernels, threads: random.Next(1, 4), packing);
        using var network = new GPTModel(config);
        TorchWeights.CopyInto(network, weights);
        network.eval();
        var reference = new ReferenceGpt(weights);

        // With a cache, in a batch of texts of different lengths.
        var texts = Enumerable.Range(0, random.Next(1, 5))
            .Select(_ => Enumerable.Range(0, random.Next(1, config.BlockSize + 6)).Select(_ => random.Next(config.VocabSize)).ToList()).ToArray();
        var logits = texts.Select(_ => new List<float[]>()).ToArray();
        var sessions = texts.Select(_ => model.CreateSession()).ToArray();
        InferenceSession.Prefill(sessions.Zip(texts, (session, ids) => (session, ids.ToArray())).ToList());
        for (var step = 0; step < Steps; step++)
        {
            for (var i = 0; i < texts.Length; i++)
            {
                var where = $"seed {seed}, {kernels.Rows.Name}, {config}, text {i}, step {step}";
                logits[i].Add(sessions[i].Logits.ToArray());

                // Alone and without what the cache remembers: the same bits.
                using var fresh = model.CreateSession();
                Assert.True(fresh.Prefill([.. texts[i]]).SequenceEqual(logits[i][step]), $"{where}: the cache or the batch changes the logits.");
                texts[i].Add(Check(reference.Logits(texts[i]), logits[i][step], where));
            }

            InferenceSession.Prefill(sessions.Zip(texts, (session, ids) => (session, new[] { ids[^1] })).ToList());
        }

        for (var i = 0; i < texts.Length; i++)
        {
            foreach (var (expected, actual) in TorchLogits(network, texts[i][..^1], Steps).Zip(logits[i]))
                Check(expected, actual, $"seed {seed}, {kernels.Rows.Name}, {config}, text {i}, against torch");
            sessions[i].Dispose();
        }
    }

    /// <summary>The logits after each of the last ids by the network that trains, without a cache.</summary>
    private static IEnumerable<double[]> TorchLogits(GPTModel network, List<int> ids, int count)
    {
        var context = network.Config.BlockSize;
        var lengths = Enumerable.Range(ids.Count - count + 1, count).ToList();

        // Within the context one pass over the longest gives all; past it each length has a window of its own.
        var inside = lengths.Where(length => length <= context).ToList();
        if (inside.Count > 0)
        {
            var all = Run([ids[..inside[^1]]]);
            foreach (var length in inside) yield return all[length - 1];
        }

        var windows = lengths.Where(length => length > context).Select(length => ids[(length - context)..length]).ToList();
        if (windows.Count == 0) yield break;
        var logits = Run(windows);
        for (var i = 0; i < windows.Count; i++) yield return logits[(i + 1) * context - 1];

        double[][] Run(List<List<int>> rows)
        {
            using var scope = NewDisposeScope();
            using var noGrad = no_grad();
            using var idx = tensor(rows.SelectMany(row => row).Select(id => (long)id).ToArray(), [rows.Count, rows[0].Count]);
            var (values, _) = network.forward(idx, idx); // with targets: the logits of all positions
            return values.data<float>().ToArray().Select(value => (double)value).Chunk(network.Config.VocabSize).ToArray();
        }
    }

    /// <summary>Compares logits and the greedy choice, and returns it.</summary>
    private int Check(double[] expected, ReadOnlySpan<float> actual, string where)
    {
        Assert.Equal(expected.Length, actual.Length);
        var (best, chosen) = (0, 0);
        for (var id = 0; id < expected.Length; id++)
        {
            var tolerance = Tolerance * Math.Max(1, Math.Abs(expected[id]) / 10);
            var error = Math.Abs(expected[id] - actual[id]);
            if (!(error <= tolerance)) Assert.Fail($"{where}: logit {id} is {actual[id]}, not {expected[id]}");
            _largestError = Math.Max(_largestError, error);
            if (expected[id] > expected[best]) best = id;
            if (actual[id] > actual[chosen]) chosen = id;
        }

        // Only where the two best are closer than the noise may the choice differ.
        _choices++;
        if (chosen != best) _ties++;
        Assert.True(chosen == best || expected[best] - expected[chosen] < 2 * Tolerance, $"{where}: chose {chosen}, not {best}");
        return best;
    }

    private static GPTConfig RandomConfig(Random random)
    {
        var heads = random.Next(1, 5);
        return new GPTConfig
        {
            VocabSize = random.Next(2, 90),
            BlockSize = random.Next(1, 30),
            NLayer = random.Next(1, 4),
            NHead = heads,
            NEmbd = heads * random.Next(1, 14),
            NInner = random.Next(2) == 0 ? null : random.Next(1, 70),
            Activation = (ActivationFunction)random.Next(6),
            LayerNormEpsilon = random.Next(2) == 0 ? 1e-5 : 1e-3,
            Bias = random.Next(2) == 0,
            TieWordEmbeddings = random.Next(2) == 0,
            ScaleAttentionWeights = random.Next(4) != 0,
            ScaleAttentionByInverseLayerIndex = random.Next(2) == 0,
            ReorderAndUpcastAttention = random.Next(2) == 0,
        };
    }
}
