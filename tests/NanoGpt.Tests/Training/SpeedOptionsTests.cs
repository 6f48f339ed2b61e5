// The public switches of the fast paths: with any of them off, or all, the run is the same run; with all on it resumes to the bit.

using NanoGpt.Data;
using NanoGpt.Tokenization;

namespace NanoGpt.Tests.Training;

[Collection(nameof(TorchProcess))]
public sealed class SpeedOptionsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string> Switches =>
        [.. typeof(SpeedOptions).GetProperties().Where(property => property.PropertyType == typeof(bool)).Select(property => property.Name)];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Without_any_fast_path_the_losses_are_the_same()
    {
        var slow = new SpeedOptions { ManagedPass = false, FusedOptimizer = false, ChunkedLoss = false, KeepMemory = false, OneDnnProducts = false, BatchesAhead = false };
        AssertClose(Losses(new SpeedOptions()), Losses(slow));
    }

    [Theory]
    [MemberData(nameof(Switches))]
    public void Without_one_of_the_fast_paths_the_losses_are_the_same(string name)
    {
        var speed = new SpeedOptions();
        var property = typeof(SpeedOptions).GetProperty(name)!;
        Assert.Equal(true, property.GetValue(speed)); // the default, as documented
        property.SetValue(speed, false);
        AssertClose(Losses(new SpeedOptions()), Losses(speed));
    }

    [Fact]
    public void Batches_drawn_ahead_are_the_same_batches_and_a_run_with_every_lever_on_resumes_to_the_bit()
    {
        var options = Options("undisturbed") with { MaxIters = 15 };
        var expected = TrainOnDataset(options);
        Assert.Equal(expected, TrainOnDataset(options with { OutDir = _folder.File("here"), Speed = new() { BatchesAhead = false } }));

        var interrupted = options with { OutDir = _folder.File("interrupted") };
        var first = TrainOnDataset(interrupted with { MaxIters = 7 });
        var rest = TrainOnDataset(interrupted with { ResumeFrom = interrupted.OutDir });
        Assert.Equal(expected, first.Concat(rest));
    }

    // Two micro steps, evaluations between them, dropout, and blocks computed again.
    private TrainerOptions Options(string outDir) => new()
    {
        OutDir = _folder.File(outDir), BatchSize = 4, BlockSize = 16, GradientAccumulationSteps = 2, EvalInterval = 4, EvalIters = 2,
        LearningRate = 1e-3, MinLr = 1e-4, WarmupIters = 2, LrDecayIters = 20, AlwaysSaveCheckpoint = true, GradientCheckpointing = true,
        Tensorboard = false, Report = false,
    };

    private static List<double> TrainOnDataset(TrainerOptions options)
    {
        using var data = TokenDataset.FromIds(Ids(3000), Ids(400), new CharacterTokenizer("abc".EnumerateRunes()));
        using var gpt = NanoGptRun.NewModel(new GPTConfig
        {
            NLayer = 2, NHead = 2, NEmbd = 32, BlockSize = 16, VocabSize = 65, EmbeddingDropout = 0.1, AttentionDropout = 0.1, ResidualDropout = 0.1,
        });
        var steps = new List<TrainingProgress>();
        _ = new Trainer(gpt, options).Train(data, new Listener(steps, TrainingEvent.Iteration), Token);
        return [.. steps.Select(step => step.Loss)];
    }

    private static TokenFile Ids(int count)
    {
        var random = new Random(count);
        return TokenFile.FromIds("made", [.. Enumerable.Range(0, count).Select(_ => random.Next(60))]);
    }

    private static List<double> Losses(SpeedOptions speed)
    {
        using var folder = new TemporaryFolder();
        var run = new NanoGptRun("bias-exact");
        using var gpt = run.NewModel();
        var steps = new List<TrainingProgress>();
        var options = run.Options(folder.Path) with { MaxIters = 15, Speed = speed };
        var result = new Trainer(gpt, options).TrainOn(new NanoGptBatches(), new Listener(steps, TrainingEvent.Iteration), Token);
        Assert.Equal(steps[^1].Loss, result.Loss);
        Assert.Equal(steps[^1].Tokens, result.Tokens);
        Assert.True(result.Seconds > 0);
        return [.. steps.Select(step => step.Loss)];
    }

    private static void AssertClose(List<double> expected, List<double> actual)
    {
        Assert.Equal(16, expected.Count);
        Assert.Equal(expected.Count, actual.Count);
        for (var i = 0; i < expected.Count; i++)
            Assert.Equal(expected[i], actual[i], 1e-5); // float32 sums in another order: the tolerance of the comparison with nanoGPT
    }
}
