using System.Text.Json;
using NanoGpt.Data;
using NanoGpt.Tokenization;
using TorchSharp;
using static NanoGpt.Tests.Training.NanoGptRun;

namespace NanoGpt.Tests.Training;

[Collection(nameof(TorchProcess))]
public sealed class TrainerTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly NanoGptRun _run = new("bias-exact");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("nobias-exact")]
    [InlineData("nobias-tanh")]
    [InlineData("bias-exact")]
    [InlineData("bias-tanh")]
    [InlineData("bias-tanh-accum2")]
    [InlineData("nobias-exact-noclip-nodecay")]
    public void Training_repeats_nanoGPT_step_by_step(string name)
    {
        var run = new NanoGptRun(name);
        using var gpt = run.NewModel();
        var steps = new List<TrainingProgress>();
        var options = run.Options(_folder.Path);

        new Trainer(gpt, options).TrainOn(
            new NanoGptBatches(options.GradientAccumulationSteps!.Value), new Listener(steps, TrainingEvent.Iteration), Token);

        Assert.Equal(run.Steps.Count, steps.Count);
        for (var i = 0; i < steps.Count; i++)
        {
            var expected = run.Steps[i];
            Assert.Equal(expected.GetProperty("lr").GetDouble(), steps[i].LearningRate); // the same float64 arithmetic
            Assert.Equal(expected.GetProperty("loss").GetDouble(), steps[i].Loss, 1e-5); // float32 against float64 differ by 7e-7
            if (expected.GetProperty("grad_norm").ValueKind != JsonValueKind.Null)
                Assert.Equal(expected.GetProperty("grad_norm").GetDouble(), steps[i].GradNorm, 1e-5);
        }

        Assert.InRange(run.FinalWeightsDifference(gpt.Network), 0, 1e-5); // float32 against float64 differ by 1.3e-6
    }

    [Fact]
    public void Evaluation_is_at_0_and_each_interval_and_the_first_is_not_saved()
    {
        using var gpt = NewModel();
        var lines = new List<TrainingProgress>();

        var result = new Trainer(gpt, Options() with { EvalInterval = 4, MaxIters = 9, KeepCheckpoints = 0 })
            .TrainOn(new NanoGptBatches(), new Listener(lines), Token);

        Assert.Equal(10, result.Iterations); // nanoGPT stops when iter > max_iters
        Assert.Equal([0, 4, 8], result.Evaluations.Select(evaluation => evaluation.Iteration));
        Assert.Equal(["ckpt-00000004", "ckpt-00000008", "ckpt-00000010"], Checkpoints());
        var logged = lines.Where(p => p.Text is not null && p.Event is TrainingEvent.Evaluation or TrainingEvent.Iteration).Select(p => p.Text!);
        Assert.All(logged, line => Assert.Matches(@"^(step \d+: train loss \d\.\d{4}, val loss \d\.\d{4}|iter \d+: loss \d\.\d{4}, time \d+\.\d\dms, mfu -?\d+\.\d\d%)$", line));
        Assert.Equal(13, logged.Count());
        Assert.Equal(lines.Where(p => p.Text is not null).Select(p => p.Text), File.ReadAllLines(_folder.File("log.txt")));
    }

    [Fact]
    public void Only_better_checkpoints_are_saved_when_asked_and_best_is_the_best()
    {
        using var gpt = NewModel();
        var options = Options() with { EvalInterval = 3, MaxIters = 30, AlwaysSaveCheckpoint = false, KeepCheckpoints = 0, LearningRate = 0.05, MinLr = 0.05, WarmupIters = 0 };

        var result = new Trainer(gpt, options).TrainOn(new NanoGptBatches(), null, Token);

        var better = result.Evaluations.Where(evaluation => evaluation is { IsBest: true, Iteration: > 0 }).ToList();
        Assert.InRange(better.Count, 1, result.Evaluations.Count - 2); // the high learning rate makes some evaluations worse
        Assert.Equal(better.Select(evaluation => $"ckpt-{evaluation.Iteration:D8}"), Checkpoints());
        Assert.Equal(result.Evaluations.Min(evaluation => evaluation.ValLoss), result.BestValLoss);
        Assert.Equal(
            File.ReadAllBytes(_folder.File($"ckpt-{result.BestIteration:D8}/model.safetensors")), File.ReadAllBytes(_folder.File("best/model.safetensors")));
    }

    [Fact]
    public void Batches_in_which_nothing_is_to_be_learned_are_passed_over()
    {
        using var gpt = NewModel();
        var steps = new List<TrainingProgress>();
        var batches = new NanoGptBatches { IsMasked = place => place.Index == 1 || place.Iteration == 2 };

        new Trainer(gpt, Options() with { GradientAccumulationSteps = 2, MaxIters = 3, EvalIters = 2 })
            .TrainOn(batches, new Listener(steps, TrainingEvent.Iteration, TrainingEvent.Evaluation), Token);

        Assert.InRange(steps[0].Evaluation!.ValLoss, 4, 5); // of the batch that counts; ln 65 is 4.2
        Assert.Equal(0, steps[3].Loss);
        Assert.Equal(0, steps[3].GradNorm);
        Assert.All(steps, step => Assert.True(double.IsFinite(step.Evaluation!.ValLoss)));
    }

    [Fact]
    public void Callbacks_see_evaluations_and_draw_samples_at_their_interval()
    {
        using var gpt = NewModel();
        var evaluated = new List<int>();
        var samples = new List<TrainingProgress>();
        var trainer = new Trainer(gpt, Options() with { EvalInterval = 2, MaxIters = 7, SampleInterval = 2 })
        {
            OnEvaluation = evaluation => evaluated.Add(evaluation.Iteration),
            DrawSample = model => $"drawn from a model of {model.Config.NLayer} layers",
        };

        trainer.TrainOn(new NanoGptBatches(), new Listener(samples, TrainingEvent.Sample), Token);

        Assert.Equal([0, 2, 4, 6], evaluated);
        Assert.Equal([0, 4], samples.Select(p => p.Iteration));
        Assert.All(samples, p => Assert.Equal("drawn from a model of 2 layers", p.Text));
        Assert.Equal(2, File.ReadLines(_folder.File("metrics.jsonl")).Count(line => line.Contains("\"sample\":")));
    }

    [Fact]
    public void Caller_finds_random_state_grad_mode_and_tensors_as_they_were()
    {
        using var gpt = NewModel();
        gpt.Network.eval();
        Train(gpt, Options() with { MaxIters = 10, EvalInterval = 5 }, dispose: false); // what is made once has been made
        torch.random.manual_seed(5);
        using var expected = torch.rand(4);
        torch.random.manual_seed(5);
        using var noGrad = torch.no_grad();
        using var scope = torch.NewDisposeScope();
        var tensors = DisposeScopeManager.Statistics.ThreadTotalLiveCount;

        Train(gpt, Options() with { MaxIters = 10, EvalInterval = 5 }, dispose: false);

        Assert.False(torch.is_grad_enabled());
        Assert.False(gpt.Network.training);
        Assert.Equal(tensors, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
        Assert.Equal(expected.data<float>().ToArray(), torch.rand(4).data<float>().ToArray());
    }

    [Fact]
    public void Earlier_run_in_the_same_folder_is_set_aside_not_lost()
    {
        Train(NewModel(), Options() with { MaxIters = 20 });
        Train(NewModel(), Options() with { MaxIters = 5 });

        Assert.Equal(["ckpt-00000006"], Checkpoints());
        Assert.True(File.Exists(_folder.File("previous/ckpt-00000021/model.safetensors")));
        Assert.True(File.Exists(_folder.File("previous/metrics.jsonl")));
    }

    [Fact]
    public void Two_runs_cannot_share_a_folder()
    {
        using var gpt = NewModel();
        CheckpointException? error = null;
        var trainer = new Trainer(gpt, Options() with { MaxIters = 1 })
        {
            OnEvaluation = _ => error = Assert.Throws<CheckpointException>(() => Train(NewModel(), Options())),
        };

        trainer.TrainOn(new NanoGptBatches(), null, Token);

        Assert.Contains("choose another out_dir", error!.Message);
    }

    [Fact]
    public void Data_that_does_not_fit_the_model_is_refused_before_anything_is_written()
    {
        using var gpt = NewModel();
        using var data = TokenDataset.FromIds(Ids(200, highest: 70), Ids(64, highest: 60), gpt.Tokenizer);
        using var little = TokenDataset.FromIds(Ids(64, highest: 60), Ids(20, highest: 60), gpt.Tokenizer);

        Assert.Contains("id 65 at position 65", Assert.Throws<ModelFormatException>(() => new Trainer(gpt, Options()).Train(data, null, Token)).Message);
        Assert.Contains("20 ids", Assert.Throws<ModelFormatException>(() => new Trainer(gpt, Options()).Train(little, null, Token)).Message);
        Assert.Contains("block_size is 64; the model has positions for 32",
            Assert.Throws<ArgumentException>(() => Train(gpt, Options() with { BlockSize = 64 }, dispose: false)).Message);
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    [Fact]
    public async Task Training_on_a_dataset_lowers_the_loss_and_can_run_on_a_thread_of_its_own()
    {
        using var data = TokenDataset.FromIds(Ids(4000, highest: 60), Ids(500, highest: 60), new CharacterTokenizer("abc".EnumerateRunes()));
        var options = Options() with { MaxIters = 40, EvalInterval = 40, BlockSize = 16, BatchSize = 4, LearningRate = 1e-2, MinLr = 1e-3, LrDecayIters = 40 };
        using var first = NewModel();
        using var second = NewModel();

        var result = new Trainer(first, options).Train(data, null, Token);
        var other = await new Trainer(second, options with { OutDir = _folder.File("async") }).TrainAsync(data, null, Token);

        Assert.Equal(TrainingEnd.Completed, result.End);
        Assert.True(result.Evaluations[^1].TrainLoss < result.Evaluations[0].TrainLoss - 1, "what was trained on is known better still");
        Assert.True(result.Evaluations[^1].ValLoss < result.Evaluations[0].ValLoss - 1, "the ids count upwards: 40 steps must learn some of that");
        Assert.Equal(41 * 64, result.Tokens);
        Assert.Equal(result.BestValLoss, other.BestValLoss, 1e-4); // another number of threads may add in another order
    }

    [Fact]
    public void Checkpoint_folder_is_a_model_folder_and_newest_and_best_are_found()
    {
        using var gpt = NewModel();
        var saved = new List<TrainingProgress>();
        var result = new Trainer(gpt, Options() with { MaxIters = 6, EvalInterval = 4 }).TrainOn(new NanoGptBatches(), new Listener(saved, TrainingEvent.Checkpoint), Token);
        Assert.Equal([4, 7], saved.Select(progress => progress.Iteration));

        var newest = Checkpoint.FindNewest(_folder.Path)!;
        var best = Checkpoint.FindBest(_folder.Path)!;
        using var loaded = GPT.FromPretrained(newest.Path);
        using var loadedBest = GPT.FromPretrained(best.Path);

        Assert.Equal(result.Checkpoint, newest.Path);
        Assert.Equal((7, result.BestValLoss), (newest.Iteration, newest.BestValLoss));
        Assert.Equal(4, best.Iteration);
        Assert.Equal(Weights(gpt), Weights(loaded));
        Assert.Equal(gpt.Config, loaded.Config);
        Assert.Null(Checkpoint.FindNewest(_folder.File("nowhere")));
        Assert.Null(Checkpoint.FindBest(_folder.File("nowhere")));
    }

    [Fact]
    public void Each_micro_batch_has_a_dropout_of_its_own()
    {
        // All batches are the same: only what is dropped can make their losses differ.
        using var data = TokenDataset.FromIds(Ids(200, highest: 0), Ids(100, highest: 0), new CharacterTokenizer("abc".EnumerateRunes()));
        var options = Options() with { MaxIters = 1, LearningRate = 0, MinLr = 0, BatchSize = 2, BlockSize = 8 };
        var config = _run.Config with { EmbeddingDropout = 0.3, ResidualDropout = 0.3 };
        List<double> Losses(int accumulation)
        {
            var steps = new List<TrainingProgress>();
            using var gpt = NanoGptRun.NewModel(config);
            new Trainer(gpt, options with { GradientAccumulationSteps = accumulation }).Train(data, new Listener(steps, TrainingEvent.Iteration), Token);
            return [.. steps.Select(step => step.Loss)];
        }

        var (one, two) = (Losses(accumulation: 1), Losses(accumulation: 2));

        Assert.NotEqual(one[0], two[0], 1e-4);
        Assert.NotEqual(one[0], one[1], 1e-4); // and each iteration
    }

    private TrainerOptions Options() => _run.Options(_folder.Path) with { MaxIters = 24, EvalInterval = 1000 };

    private GPT NewModel() => _run.NewModel();

    private static TokenFile Ids(int count, int highest) =>
        TokenFile.FromIds("ids", [.. Enumerable.Range(0, count).Select(i => i % (highest + 1))]);

    private string[] Checkpoints() => [.. Directory.GetDirectories(_folder.Path, "ckpt-*").Select(path => Path.GetFileName(path)).Order()];
}
