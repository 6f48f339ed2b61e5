// How fast this machine trains and generates: nanoGPT's bench.py, and the same for decoding. Comparisons with other programs
// are in tests/NanoGpt.Benchmarks.

using System.Diagnostics;
using NanoGpt.Data;
using NanoGpt.Samples.CommandLine;
using NanoGpt.Samples.Terminal;

namespace NanoGpt.Samples.Commands;

internal sealed record BenchOptions
{
    /// <summary>Sequences in a batch.</summary>
    public int BatchSize { get; init; } = 12;

    /// <summary>Tokens in a sequence.</summary>
    public int BlockSize { get; init; } = 1024;

    /// <summary>Blocks of the model.</summary>
    public int NLayer { get; init; } = 12;

    /// <summary>Attention heads in each block.</summary>
    public int NHead { get; init; } = 12;

    /// <summary>Width of the model.</summary>
    public int NEmbd { get; init; } = 768;

    /// <summary>Whether the model has biases.</summary>
    public bool Bias { get; init; }

    /// <summary>Whether to train on data/DATASET; if not, on random ids.</summary>
    public bool RealData { get; init; } = true;

    /// <summary>The dataset for real_data.</summary>
    public string Dataset { get; init; } = "openwebtext";

    /// <summary>Measure generating text instead of training.</summary>
    public bool Generate { get; init; }

    /// <summary>Tokens to generate, with generate.</summary>
    public int MaxNewTokens { get; init; } = 128;

    /// <summary>Decides the weights and the batches.</summary>
    public int Seed { get; init; } = 1337;

    /// <summary>cpu, cuda, cuda:1 or mps; the best there is if not given.</summary>
    public string? Device { get; init; }

    /// <summary>float32 or bfloat16; int8 too with generate.</summary>
    public Dtype Dtype { get; init; } = Dtype.Float32;

    /// <summary>Accepted for nanoGPT's sake; there is nothing to compile here.</summary>
    public bool Compile { get; init; } = true;

    /// <summary>Accepted for nanoGPT's sake; dotnet-trace profiles any program.</summary>
    public bool Profile { get; init; }
}

internal sealed class BenchCommand : Command<BenchOptions>
{
    private const int BurnIn = 10, Timed = 20; // nanoGPT's

    public override string Name => "bench";

    public override string Summary => "how fast this machine trains and generates";

    public override IReadOnlyList<string> Examples => ["bench --batch_size=4 --block_size=64 --real_data=False", "bench --generate --dtype=int8"];

    public override bool TakesConfigFiles => true;

    protected override Task RunAsync(BenchOptions options, Session session) =>
        options.Generate ? Task.Run(() => Decode(options, session)) : TrainAsync(options, session);

    private static async Task TrainAsync(BenchOptions options, Session session)
    {
        if (options.RealData && !Directory.Exists(TrainOptions.DatasetFolder(options.Dataset)))
            throw new UsageException($"there is no dataset '{options.Dataset}' to train on; for random ids: nanogpt bench --real_data=False");
        var scratch = Directory.CreateTempSubdirectory("nanogpt-bench-").FullName;
        try
        {
            var folder = options.RealData ? TrainOptions.DatasetFolder(options.Dataset) : WriteRandomIds(scratch, options.Seed);
            using var data = TokenDataset.Open(folder);
            using var gpt = new GPT(Config(options), seed: options.Seed);
            var settings = new TrainerOptions
            {
                OutDir = Path.Combine(scratch, "out"), BatchSize = options.BatchSize, GradientAccumulationSteps = 1,
                MaxIters = BurnIn + Timed - 1, EvalIters = 1, AlwaysSaveCheckpoint = false, Report = false, Tensorboard = false,
                Seed = options.Seed, Device = options.Device, Dtype = options.Dtype,
            };
            var steps = new List<TrainingProgress>();
            var watcher = new Listener<TrainingProgress>(step =>
            {
                if (step.Event != TrainingEvent.Iteration) return;
                steps.Add(step);
                session.Output.Line(FormattableString.Invariant($"{step.Iteration}/{BurnIn + Timed} loss: {step.Loss:0.0000}"));
            });
            await new Trainer(gpt, settings).TrainAsync(data, watcher, session.Stop.Token);
            session.Stop.Token.ThrowIfCancellationRequested();

            var timed = steps.Skip(BurnIn).ToList();
            session.Output.Line(FormattableString.Invariant(
                $"time per iteration: {timed.Average(s => s.IterationTime.TotalMilliseconds):0.0000}ms, MFU: {timed[^1].Mfu * 100:0.00}%"));
            session.Output.Line(FormattableString.Invariant($"tokens per second: {timed.Average(s => s.TokensPerSecond):0}"));
        }
        finally
        {
            Directory.Delete(scratch, recursive: true);
        }
    }

    private static void Decode(BenchOptions options, Session session)
    {
        var folder = Directory.CreateTempSubdirectory("nanogpt-bench-").FullName;
        try
        {
            using (var fresh = new GPT(Config(options), seed: options.Seed)) fresh.SavePretrained(folder);
            var loading = Stopwatch.StartNew();
            using var gpt = GPT.FromPretrained(folder, new PretrainedOptions { Dtype = options.Dtype });
            using var generator = new Generator(gpt);
            var prompt = Enumerable.Range(0, Math.Min(512, gpt.Config.BlockSize / 2)).Select(i => i * 7919 % gpt.Config.VocabSize).ToList();
            var settings = new GenerationOptions { MaxNewTokens = options.MaxNewTokens, Temperature = 0, StopAtEndOfText = false };
            _ = generator.GenerateTokens([0], settings with { MaxNewTokens = 1 }, session.Stop.Token); // packs the weights
            session.Output.Line(FormattableString.Invariant($"loading, to the first token: {loading.Elapsed.TotalMilliseconds:0} ms"));

            var watch = Stopwatch.StartNew();
            var first = TimeSpan.Zero;
            var count = 0;
            foreach (var _ in generator.StreamTokens(prompt, settings, session.Stop.Token))
            {
                if (count++ == 0) first = watch.Elapsed;
            }

            session.Output.Line(FormattableString.Invariant($"prompt of {prompt.Count} tokens: {prompt.Count / first.TotalSeconds:0} tokens per second"));
            var rate = (count - 1) / (watch.Elapsed - first).TotalSeconds;
            var bytes = gpt.Config.CountParameters() * options.Dtype switch { Dtype.Int8 => 1, Dtype.BFloat16 => 2, _ => 4 };
            session.Output.Line(FormattableString.Invariant($"decoding: {rate:0.0} tokens per second, {rate * bytes / 1e9:0.0} GB of weights per second"));
            session.Output.Line(FormattableString.Invariant($"resident memory: {Environment.WorkingSet / 1e6:0} MB"));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static GPTConfig Config(BenchOptions options) => new()
    {
        BlockSize = options.BlockSize, NLayer = options.NLayer, NHead = options.NHead, NEmbd = options.NEmbd, Bias = options.Bias,
    };

    // GPT-2 ids as uint16, the form of every train.bin.
    private static string WriteRandomIds(string folder, int seed)
    {
        var random = new Random(seed);
        foreach (var file in new[] { "train.bin", "val.bin" })
        {
            var ids = new ushort[1 << 18];
            for (var i = 0; i < ids.Length; i++) ids[i] = (ushort)random.Next(50257);
            File.WriteAllBytes(Path.Combine(folder, file), System.Runtime.InteropServices.MemoryMarshal.AsBytes<ushort>(ids).ToArray());
        }

        return folder;
    }
}
