using NanoGpt.Training;

namespace NanoGpt.Tests.Training;

/// <summary>trainer.json: what a resumed run knows of the one before.</summary>
public sealed class TrainerStateTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Everything_comes_back()
    {
        var state = new TrainerState
        {
            Iteration = 1234, Best = (1000, 1.2345678901234567), LastEvaluation = 1200, EvaluationsWithoutImprovement = 2, Tokens = 5_000_000_000,
            Seconds = 98765.432, SkippedSteps = 3, Usual = new() { Steps = 60, LossMean = 2.5, LossVariance = 0.25, NormMean = 0.75, NormVariance = 0.125 },
            LossScale = new LossScale(32768, 17), UsesOneDnn = true, Seed = 42, Data = "data/train.bin", DataFingerprint = "1003854 ids, 77",
            Options = new Dictionary<string, object?> { ["batch_size"] = 12L, ["learning_rate"] = 1e-3, ["decay_lr"] = true, ["out_dir"] = "out", ["dtype"] = null },
        };

        state.Write(_folder.Path);
        var read = TrainerState.Read(_folder.Path);

        Assert.Equal(state.Options, read.Options);
        Assert.Equal(state, read with { Options = state.Options }); // dictionaries are compared by reference there
    }

    [Fact]
    public void What_a_run_does_not_know_yet_stays_unknown()
    {
        var state = TrainerState.Beginning(new() { Dtype = Dtype.Float16 });

        state.Write(_folder.Path);
        var read = TrainerState.Read(_folder.Path);

        Assert.Equal(state, read with { Options = state.Options });
        Assert.Null(read.Best);
        Assert.Equal((-1, 65536), (read.LastEvaluation, read.LossScale.Factor));
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("{\"iteration\": ")]
    [InlineData("[]")]
    [InlineData("{\"iteration\": 1e99, \"last_evaluation\": 0}")]
    public void Another_file_is_refused_by_name(string text)
    {
        File.WriteAllText(_folder.File(TrainerState.FileName), text);

        Assert.Contains("trainer.json: not the state of a training run", Assert.Throws<CheckpointException>(() => TrainerState.Read(_folder.Path)).Message, StringComparison.Ordinal);
    }
}
