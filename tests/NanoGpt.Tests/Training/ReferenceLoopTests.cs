// The trainer against a loop of torch's own parts, step by step: plain forward pass, autograd's cross entropy, clip_grad_norm_
// and torch.optim.AdamW. Slow and obvious; what the product does instead must come to the same losses.

using System.Globalization;
using NanoGpt.Data;
using NanoGpt.Tokenization;
using NanoGpt.Training;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace NanoGpt.Tests.Training;

[Collection(nameof(TorchProcess))]
public sealed class ReferenceLoopTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Losses_of_shakespeare_chars_full_model_are_those_of_the_plain_loop() => Compare(batchSize: 2, blockSize: 64, steps: 8, tolerance: 2e-4);

    [Fact]
    public void Losses_of_300_iterations_in_full_size_are_those_of_the_plain_loop()
    {
        Assert.SkipUnless(Environment.GetEnvironmentVariable("NANOGPT_LONG") == "1", "takes half an hour; NANOGPT_LONG=1 runs it");
        var batchSize = Environment.GetEnvironmentVariable("NANOGPT_BATCH") ?? "4"; // 64 is that of configs/train_shakespeare_char.json, and takes hours
        Compare(int.Parse(batchSize, CultureInfo.InvariantCulture), blockSize: 256, steps: 300, tolerance: 1e-3);
    }

    // Rounding differs and training amplifies it: the tolerance is what float32 leaves after that many steps.
    private void Compare(int batchSize, int blockSize, int steps, double tolerance)
    {
        var config = new GPTConfig
        {
            VocabSize = 65, BlockSize = blockSize, NLayer = 6, NHead = 6, NEmbd = 384, Bias = false, Activation = ActivationFunction.Gelu,
            EmbeddingDropout = 0.2, AttentionDropout = 0.2, ResidualDropout = 0.2,
        };
        var options = new TrainerOptions
        {
            OutDir = _folder.Path, BatchSize = batchSize, BlockSize = blockSize, GradientAccumulationSteps = 1, MaxIters = steps - 1, LearningRate = 1e-3, MinLr = 1e-4,
            LrDecayIters = 5000, WarmupIters = 100, Beta2 = 0.99, EvalInterval = 10_000, EvalIters = 1, AlwaysSaveCheckpoint = false, Tensorboard = false, Report = false,
        };
        var letters = new CharacterTokenizer(Enumerable.Range(' ', 65).Select(c => new System.Text.Rune(c)));
        using var data = TokenDataset.FromIds(Ids(20_000, 1), Ids(2_000, 2), letters);
        using var gpt = new GPT(config, letters, seed: 11);
        using var reference = new GPT(config, letters, seed: 11);
        using var expected = PlainLoop(reference.Network, data, options).GetEnumerator();
        var losses = new List<(double Plain, double Ours)>();
        var inStep = new InStep(step =>
        {
            Assert.True(expected.MoveNext());
            losses.Add((expected.Current, step.Loss));
            Assert.InRange(step.Loss - expected.Current, -tolerance, tolerance);
            if (losses.Count % 10 == 0 || losses.Count == steps) Tell();
        });

        new Trainer(gpt, options).Train(data, inStep, TestContext.Current.CancellationToken);

        Assert.Equal(steps, losses.Count);
        Assert.NotEqual(losses[0].Plain, losses[^1].Plain, 1e-2); // something was learned

        void Tell() => TestContext.Current.TestOutputHelper?.WriteLine(
            $"{losses.Count} iterations of {batchSize} x {blockSize} tokens, loss from {losses[0].Plain:F4} to {losses[^1].Plain:F4}: differences up to {losses.Max(pair => Math.Abs(pair.Plain - pair.Ours)):E1}");
    }

    private static IEnumerable<double> PlainLoop(GPTModel network, TokenDataset data, TrainerOptions options)
    {
        options = RunStart.Complete(options, network.Config, DeviceType.CPU);
        var batches = new BatchSampler(data, options.Seed);
        var (x, y) = (new long[options.BatchSize * options.BlockSize!.Value], new long[options.BatchSize * options.BlockSize.Value]);
        using var optimizer = optim.AdamW(
        [
            new AdamW.ParamGroup(network.parameters().Where(p => p.dim() >= 2), new AdamW.Options { weight_decay = options.WeightDecay }),
            new AdamW.ParamGroup(network.parameters().Where(p => p.dim() < 2), new AdamW.Options { weight_decay = 0 }),
        ], options.LearningRate!.Value, options.Beta1, options.Beta2, eps: 1e-8);
        network.train();
        for (var i = 0; ; i++) yield return Step(i);

        double Step(int i)
        {
            using var scope = NewDisposeScope();
            foreach (var group in optimizer.ParamGroups) group.LearningRate = LearningRate.At(i, options);
            batches.Fill(new BatchPlace(DataSplit.Train, Evaluation: false, i, 0), options.BlockSize.Value, x, y);
            random.manual_seed(RandomSeed.Of(options.Seed, i, 0));
            var loss = network.forward(tensor(x, [options.BatchSize, options.BlockSize.Value]), tensor(y, [options.BatchSize, options.BlockSize.Value])).Loss!;
            optimizer.zero_grad();
            loss.backward();
            nn.utils.clip_grad_norm_(network.parameters(), options.GradClip);
            optimizer.step();
            return loss.item<float>();
        }
    }

    /// <summary>Does a step of the plain loop after each of the trainer's, so that a run that is ended early has compared what it has done.</summary>
    private sealed class InStep(Action<TrainingProgress> onStep) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value)
        {
            if (value.Event == TrainingEvent.Iteration) onStep(value);
        }
    }

    // Ids in which there is something to learn: each mostly follows from the one before.
    private static TokenFile Ids(int count, int seed)
    {
        var dice = new Random(seed);
        var ids = new int[count];
        for (var i = 1; i < count; i++) ids[i] = dice.Next(4) == 0 ? dice.Next(65) : (ids[i - 1] * 7 + 3) % 65;
        return TokenFile.FromIds("ids", ids);
    }
}
