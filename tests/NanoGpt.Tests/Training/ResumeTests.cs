using System.Runtime.InteropServices;
using System.Text.Json;
using NanoGpt.Formats;
using static NanoGpt.Tests.Training.NanoGptRun;

namespace NanoGpt.Tests.Training;

/// <summary>Runs that go on from a checkpoint, ours or nanoGPT's.</summary>
[Collection(nameof(TorchProcess))]
public sealed class ResumeTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly NanoGptRun _run = new("bias-exact");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Resumed_run_repeats_the_undisturbed_one_to_the_bit()
    {
        // Dropout makes every step depend on random numbers too.
        var config = _run.Config with { EmbeddingDropout = 0.1, AttentionDropout = 0.1, ResidualDropout = 0.1 };
        var options = Options() with { MaxIters = 29, EvalInterval = 7 };
        var (losses, weights) = Train(NanoGptRun.NewModel(config), options with { OutDir = _folder.File("undisturbed") });

        var interrupted = options with { OutDir = _folder.File("interrupted") };
        Train(NanoGptRun.NewModel(config), interrupted with { MaxIters = 13 });
        var (resumedLosses, resumedWeights) = Train(NanoGptRun.NewModel(config, seed: 99), interrupted with { ResumeFrom = _folder.File("interrupted") });

        Assert.Equal(losses[14..], resumedLosses);
        Assert.Equal(weights, resumedWeights);
        Assert.Equal(
            File.ReadAllLines(_folder.File("undisturbed/metrics.csv")).Select(WithoutTimes),
            File.ReadAllLines(_folder.File("interrupted/metrics.csv")).Select(WithoutTimes));
    }

    [Fact]
    public void Resume_falls_back_to_the_newest_whole_checkpoint_and_says_so()
    {
        var options = Options() with { MaxIters = 20, SaveInterval = 5 };
        Train(NewModel(), options);
        var newest = _folder.File("ckpt-00000020/optimizer.safetensors");
        var bytes = File.ReadAllBytes(newest);
        bytes[bytes.Length / 2] ^= 1;
        File.WriteAllBytes(newest, bytes);
        var said = new List<TrainingProgress>();

        using var gpt = NewModel();
        new Trainer(gpt, options with { ResumeFrom = _folder.Path, MaxIters = 21 }).TrainOn(new NanoGptBatches(), new Listener(said), Token);

        Assert.Contains(said, p => p is { Event: TrainingEvent.Warning } && p.Text!.Contains("ckpt-00000020 is damaged and passed over: optimizer.safetensors has SHA-256"));
        Assert.Contains(said, p => p is { Event: TrainingEvent.Notice } && p.Text!.Contains("ckpt-00000015: iteration 15"));
        Assert.Equal(15, said.First(p => p.Event == TrainingEvent.Iteration).Iteration);
    }

    [Theory]
    [InlineData("nanogpt-ckpt.pt")]
    [InlineData("nanogpt-ckpt-compiled.pt")]
    public void Resume_from_a_nanoGPT_checkpoint_repeats_nanoGPTs_resume(string file)
    {
        var run = new NanoGptRun("nobias-exact");
        var expected = JsonDocument.Parse(File.ReadAllText(Vectors.Path("train", "nanogpt-ckpt.expected.json"))).RootElement;
        Directory.CreateDirectory(_folder.File("nanogpt"));
        File.Copy(Vectors.Path("train", file), _folder.File("nanogpt", "ckpt.pt"));
        using var gpt = NanoGptRun.NewModel(run.Config, seed: 7);

        var (losses, _) = Train(gpt, run.Options(_folder.File("out")) with { ResumeFrom = _folder.File("nanogpt") }, dispose: false);

        var resumed = expected.GetProperty("resume").GetProperty("losses").EnumerateArray().Select(loss => loss.GetDouble()).ToList();
        Assert.Equal(resumed.Count, losses.Length);
        for (var i = 0; i < losses.Length; i++) Assert.Equal(resumed[i], losses[i], 1e-5); // float32 against float64 differ by 6e-7
        Assert.InRange(run.FinalWeightsDifference(gpt.Network), 0, 1e-5);
    }

    [Fact]
    public void Resume_without_a_whole_checkpoint_changes_nothing_and_says_what_is_missing()
    {
        using var gpt = NewModel();
        var before = Weights(gpt);

        var error = Assert.Throws<CheckpointException>(() => Train(gpt, Options() with { ResumeFrom = _folder.File("nowhere") }, dispose: false));

        Assert.Contains("nothing to resume from", error.Message);
        Assert.Equal(before, Weights(gpt));
        Train(gpt, Options() with { MaxIters = 1 }, dispose: false); // the folder is free
    }

    [Fact]
    public void Resume_with_a_model_of_another_shape_changes_nothing_and_names_both()
    {
        Train(NewModel(), Options() with { MaxIters = 5 });
        using var gpt = NanoGptRun.NewModel(_run.Config with { NLayer = 1 });
        var before = Weights(gpt);

        var error = Assert.Throws<CheckpointException>(() => Train(gpt, Options() with { ResumeFrom = _folder.Path }, dispose: false));

        Assert.Contains("n_layer 2", error.Message);
        Assert.Contains("n_layer 1", error.Message);
        Assert.Equal(before, Weights(gpt));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Resume_with_a_shorter_context_crops_the_positions_and_their_moments(bool fromNanoGpt)
    {
        // In batches of nothing to learn no weight and no moment moves: what is saved is what was loaded.
        var (source, config) = (Vectors.Path("train", "nanogpt-ckpt.pt"), fromNanoGpt ? new NanoGptRun("nobias-exact").Config : _run.Config);
        if (!fromNanoGpt) Train(NewModel(), Options() with { OutDir = source = _folder.File("long"), MaxIters = 9 });
        var options = Options() with { ResumeFrom = source, MaxIters = 1000 };
        var (whole, half) = (_folder.File("whole"), _folder.File("half"));
        foreach (var (outDir, blockSize) in new[] { (whole, config.BlockSize), (half, config.BlockSize / 2) })
        {
            using var gpt = NanoGptRun.NewModel(config with { BlockSize = blockSize }, seed: 3);
            using var stop = new CancellationTokenSource();
            var batches = new NanoGptBatches { IsMasked = _ => true, OnStep = _ => stop.Cancel() };
            new Trainer(gpt, options with { OutDir = outDir, BlockSize = blockSize }).TrainOn(batches, null, stop.Token);
        }

        foreach (var (file, name) in new[] { ("model", "wpe.weight"), ("optimizer", "exp_avg.wpe.weight"), ("optimizer", "exp_avg_sq.wpe.weight") })
        {
            var (all, cropped) = (Values(whole, file, name), Values(half, file, name));
            Assert.Equal(config.BlockSize / 2 * config.NEmbd, cropped.Length);
            Assert.Equal(all[..cropped.Length], cropped);
            Assert.Contains(cropped, value => value != 0);
        }

        static float[] Values(string outDir, string file, string name)
        {
            using var tensors = SafetensorsFile.Open(Path.Combine(Checkpoint.FindNewest(outDir)!.Path, file + ".safetensors"));
            return MemoryMarshal.Cast<byte, float>(tensors.Bytes(tensors.Tensors.Keys.Single(key => key == name || key == "transformer." + name))).ToArray();
        }
    }

    [Fact]
    public void What_has_changed_since_the_checkpoint_is_said()
    {
        var options = Options() with { MaxIters = 3, Seed = 5 };
        using (var gpt = NewModel()) new Trainer(gpt, options).TrainOn(new NanoGptBatches(), null, Token);
        var said = new List<TrainingProgress>();
        var others = new NanoGptBatches { Fingerprint = "another's" };
        var changed = options with { MaxIters = 8, Seed = 6, GradClip = 0.5, ResumeFrom = _folder.Path };

        using (var gpt = NanoGptRun.NewModel(_run.Config with { ResidualDropout = 0.25 })) new Trainer(gpt, changed).TrainOn(others, new Listener(said, TrainingEvent.Warning, TrainingEvent.Notice), Token);

        Assert.Equal(
            ["seed is 6, the checkpoint's was 5: the batches will be others than the undisturbed run's",
                "batches.safetensors is not what the checkpoint was trained on (batches.safetensors): the batches will be others than the undisturbed run's"],
            said.Where(p => p.Event == TrainingEvent.Warning && p.Text!.Contains("undisturbed")).Select(p => p.Text));
        Assert.Contains("changed since the checkpoint: grad_clip 1 -> 0.5, dropout 0 -> 0/0/0.25", said.Select(p => p.Text));
        var checkpoint = Checkpoint.FindNewest(_folder.Path)!;
        Assert.Equal(0.5, checkpoint.Options["grad_clip"]);
        Assert.Null(checkpoint.Options["dtype"]); // as it was given
        Assert.Equal("batches.safetensors", checkpoint.Data);
    }

    private TrainerOptions Options() => _run.Options(_folder.Path) with { MaxIters = 24, EvalInterval = 1000 };

    private GPT NewModel() => _run.NewModel();

    private string[] Checkpoints() => [.. Directory.GetDirectories(_folder.Path, "ckpt-*").Select(path => Path.GetFileName(path)).Order()];

    private static string WithoutTimes(string line) => string.Join(',', line.Split(',').Take(6));
}
