// Training with bfloat16 products against training in float32, step by step from the same weights on the same batches. The
// network is told directly which products to use: the trainer would refuse bfloat16 where the processor is slow at it.

using System.Globalization;
using NanoGpt.Data;
using NanoGpt.Native;
using NanoGpt.Tokenization;
using NanoGpt.Training;
using static TorchSharp.torch;

namespace NanoGpt.Tests.Training;

[Collection(nameof(TorchProcess))]
public sealed class BFloat16TrainingTests : IDisposable
{
    private const double Goal = 0.005; // of float32's loss, at each step

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Losses_stay_within_half_a_percent_of_float32()
    {
        const string text = "The lamp turned, the sea answered, and the night went on. ";
        var letters = new CharacterTokenizer(text.EnumerateRunes().Distinct());
        var file = _folder.File("input.txt");
        File.WriteAllText(file, string.Concat(Enumerable.Repeat(text, 200)));
        using var data = TokenDataset.FromText(file, letters);
        var config = new GPTConfig { NLayer = 2, NHead = 2, NEmbd = 32, BlockSize = 16, VocabSize = letters.VocabSize };

        Compare(config, data, batchSize: 3, steps: 30);
    }

    [Fact]
    public void Losses_of_200_steps_of_gpt2s_size_stay_within_half_a_percent_of_float32()
    {
        Assert.SkipUnless(Environment.GetEnvironmentVariable("NANOGPT_LONG") == "1", "takes hours where bfloat16 is slow; NANOGPT_LONG=1 runs it");
        var text = Vectors.Shared("data", "tinyshakespeare", "input.txt");
        Assert.SkipWhen(text is null, "tinyshakespeare is not in the repository; shared/data beside the repository has it");
        var batchSize = Environment.GetEnvironmentVariable("NANOGPT_BATCH") ?? "4";
        using var data = TokenDataset.FromText(text, Tokenizer.Gpt2);

        Compare(GPTConfig.Gpt2 with { BlockSize = 64, EmbeddingDropout = 0, AttentionDropout = 0, ResidualDropout = 0 }, data,
            int.Parse(batchSize, CultureInfo.InvariantCulture), steps: 200);
    }

    private static void Compare(GPTConfig config, TokenDataset data, int batchSize, int steps)
    {
        Libtorch.EnsureLoaded();
        using var scope = NewDisposeScope();
        using var exact = new Side(config, null);
        using var rounded = new Side(config, bfloat16);
        var batches = new BatchSampler(data, seed: 1);
        var (x, y) = (new long[batchSize * config.BlockSize], new long[batchSize * config.BlockSize]);
        var losses = new List<(double Exact, double Rounded)>();
        for (var step = 0; step < steps; step++)
        {
            batches.Fill(new BatchPlace(DataSplit.Train, Evaluation: false, step, 0), config.BlockSize, x, y);
            losses.Add((exact.Step(x, y, batchSize, step), rounded.Step(x, y, batchSize, step)));
            if (losses.Count % 10 == 0) TestContext.Current.TestOutputHelper?.WriteLine(
                $"{losses.Count} steps of {batchSize} x {config.BlockSize} tokens, loss from {losses[0].Exact:F4} to {losses[^1].Exact:F4}: differences up to {losses.Max(pair => Math.Abs(pair.Rounded / pair.Exact - 1)):P3}");
        }

        Assert.True(losses[^1].Exact < losses[0].Exact - 0.3, "nothing was learned");
        Assert.All(losses, pair => Assert.Equal(pair.Exact, pair.Rounded, Goal * pair.Exact));
        Assert.Contains(losses, pair => pair.Exact != pair.Rounded); // it did round
    }

    /// <summary>A network that trains in its own arithmetic.</summary>
    private sealed class Side : IDisposable
    {
        private readonly GPTModel _network;
        private readonly FusedAdamW _optimizer;

        public Side(GPTConfig config, ScalarType? productType)
        {
            _ = random.manual_seed(3);
            _network = new GPTModel(config) { ProductType = productType };
            _optimizer = new FusedAdamW(_network.named_parameters().Select(p => (p.name, p.parameter, p.parameter.dim() >= 2)));
        }

        public double Step(long[] x, long[] y, int batchSize, int step)
        {
            const int warmup = 10;
            using var scope = NewDisposeScope();
            var loss = _network.Loss(tensor(x, [batchSize, x.Length / batchSize]), tensor(y, [batchSize, y.Length / batchSize]));
            loss.backward();
            Assert.All(_network.parameters(), p => Assert.Equal(float32, p.grad!.dtype)); // master weights
            _ = _optimizer.Step(6e-4 * Math.Min(1, (step + 1.0) / warmup), 1.0);
            _optimizer.ZeroGrad();
            return loss.item<float>();
        }

        public void Dispose()
        {
            _optimizer.Dispose();
            _network.Dispose();
        }
    }
}
