using System.Text.Json;
using TorchSharp;
using static NanoGpt.Tests.Training.NanoGptRun;

namespace NanoGpt.Tests.Training;

/// <summary>Steps that must not be taken: what is not finite, and what is far from the usual.</summary>
[Collection(nameof(TorchProcess))]
public sealed class DivergenceTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly NanoGptRun _run = new("bias-exact");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Non_finite_loss_stops_before_the_step_and_is_never_saved()
    {
        using var gpt = NewModel();
        float[]? before = null;
        var batches = new NanoGptBatches
        {
            OnStep = place =>
            {
                if (place.Iteration != 12) return;
                before = Weights(gpt);
                Poison(gpt.Network.named_parameters().First().parameter, float.PositiveInfinity);
            },
        };

        var error = Assert.Throws<TrainingDivergedException>(() =>
            new Trainer(gpt, Options() with { SaveInterval = 4 }).TrainOn(batches, null, Token));

        Assert.Matches("^Training diverged at iteration 12: the loss is (NaN|∞|-∞), with learning rate", error.Message);
        Assert.Contains("micro batch 12", error.Message);
        Assert.Contains("learning_rate", error.Message);
        Poison(gpt.Network.named_parameters().First().parameter, before![0]);
        Assert.Equal(before, Weights(gpt));
        Assert.Equal(["ckpt-00000008", "ckpt-00000012"], Checkpoints()); // 12 was saved before its step: the weights were finite
    }

    [Fact]
    public void Non_finite_gradient_stops_before_the_step()
    {
        using var gpt = NewModel();
        float[]? before = null;
        var batches = new NanoGptBatches
        {
            OnStep = place =>
            {
                if (place.Iteration != 3) return;
                before = Weights(gpt);
                var parameter = gpt.Network.named_parameters().First().parameter;
                parameter.grad = torch.full_like(parameter, float.NaN); // the backward pass adds to it
            },
        };

        var error = Assert.Throws<TrainingDivergedException>(() => new Trainer(gpt, Options()).TrainOn(batches, null, Token));

        Assert.Contains("gradient's length NaN", error.Message);
        Assert.Equal(before, Weights(gpt));
        Assert.All(gpt.Network.parameters(), parameter => Assert.Null(parameter.grad));
    }

    [Fact]
    public void Weights_that_a_step_has_spoilt_are_not_saved()
    {
        using var gpt = NewModel();
        var options = Options() with { SaveInterval = 3, LearningRate = 1e38, MinLr = 1e38, DecayLr = false };

        Assert.Throws<TrainingDivergedException>(() => new Trainer(gpt, options).TrainOn(new NanoGptBatches(), null, Token));

        Assert.Empty(Checkpoints());
    }

    [Fact]
    public void Outlier_steps_are_left_out_and_counted()
    {
        using var gpt = NewModel();
        var said = new List<TrainingProgress>();
        float[]? before = null, after = null;
        var batches = new NanoGptBatches
        {
            OnStep = place =>
            {
                var parameter = gpt.Network.named_parameters().First().parameter;
                if (place.Iteration == 80)
                {
                    before = Weights(gpt);
                    parameter.grad = torch.full_like(parameter, 100);
                }

                if (place.Iteration == 81) after = Weights(gpt);
            },
        };

        new Trainer(gpt, Options() with { MaxIters = 90, SkipOutliers = 6 }).TrainOn(batches, new Listener(said, TrainingEvent.Warning), Token);

        Assert.Equal(before, after);
        Assert.Single(said, p => p.Text!.StartsWith("iter 80: step left out"));
        Assert.Equal(1, JsonDocument.Parse(File.ReadAllText(_folder.File("ckpt-00000091/trainer.json"))).RootElement.GetProperty("skipped_steps").GetInt32());
    }

    private TrainerOptions Options() => _run.Options(_folder.Path) with { MaxIters = 24, EvalInterval = 1000 };

    private GPT NewModel() => _run.NewModel();

    private static void Poison(torch.Tensor parameter, float value)
    {
        using var noGrad = torch.no_grad();
        using var first = parameter.view(-1).narrow(0, 0, 1);
        first.fill_(value);
    }

    private string[] Checkpoints() => [.. Directory.GetDirectories(_folder.Path, "ckpt-*").Select(path => Path.GetFileName(path)).Order()];
}
