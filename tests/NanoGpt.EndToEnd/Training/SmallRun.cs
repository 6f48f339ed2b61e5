// A run small enough to be done hundreds of times: a model of 2 layers on a few sentences, saving after each step. The same
// in this process and, to be killed, in one of its own.

using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using NanoGpt.Data;
using NanoGpt.Tokenization;
using TorchSharp;

namespace NanoGpt.EndToEnd.Training;

/// <summary>Starts, kills and compares small runs.</summary>
/// <param name="dropout">The model's; without it gradients are computed in plain C#, with it by autograd.</param>
internal sealed class SmallRun(double dropout)
{
    private const string Text = "The keeper climbed the stair and lit the lamp. The lamp turned, the sea answered, and the night went on. ";

    public static TrainerOptions Options(string outDir, int maxIters) => new()
    {
        OutDir = outDir, MaxIters = maxIters, LrDecayIters = 2000, WarmupIters = 20, LearningRate = 3e-3, BatchSize = 4, BlockSize = 16,
        EvalInterval = 25, EvalIters = 2, SaveInterval = 1, Tensorboard = false, Report = false,
    };

    public GPT NewModel()
    {
        var tokenizer = new CharacterTokenizer(Text.EnumerateRunes().Distinct().Order());
        var gpt = new GPT(
            new GPTConfig
            {
                VocabSize = tokenizer.VocabSize, BlockSize = 16, NLayer = 2, NHead = 2, NEmbd = 32,
                EmbeddingDropout = dropout, AttentionDropout = dropout, ResidualDropout = dropout,
            },
            tokenizer, seed: 3);
        _ = gpt.Network;
        torch.set_num_threads(1); // as many threads in each process, so that sums are the same to the bit
        return gpt;
    }

    public static TokenDataset NewData(Tokenizer tokenizer)
    {
        var file = Path.GetTempFileName();
        File.WriteAllText(file, string.Concat(Enumerable.Repeat(Text, 40)));
        try
        {
            return TokenDataset.FromText(file, tokenizer);
        }
        finally
        {
            File.Delete(file);
        }
    }

    /// <summary>Trains in this process, going on where the folder's last run ended if there was one.</summary>
    public TrainingResult Train(TrainerOptions options, IProgress<TrainingProgress>? progress = null, CancellationTokenSource? stop = null)
    {
        using var gpt = NewModel();
        using var data = NewData(gpt.Tokenizer);
        var resume = Directory.Exists(options.OutDir) && Checkpoint.FindNewest(options.OutDir) is not null ? options.OutDir : null;
        return new Trainer(gpt, options with { ResumeFrom = resume }).Train(data, progress, stop?.Token ?? TestContext.Current.CancellationToken);
    }

    /// <summary>The same in a process of its own, which trains until it is killed.</summary>
    public Process StartProcess(string outDir, string? prefix = null)
    {
        string[] command = ["dotnet", Path.Combine(AppContext.BaseDirectory, "NanoGpt.EndToEnd.dll"), "-explicit", "only", "-method", $"*.{nameof(SmallRunProcess.Train_in_a_new_process)}"];
        var start = prefix is null
            ? new ProcessStartInfo(command[0], command[1..])
            : new ProcessStartInfo("unshare", ["-rm", "sh", "-c", $"{prefix} && exec \"$@\"", "sh", .. command]);
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        start.Environment[SmallRunProcess.OutDirVariable] = outDir;
        start.Environment[SmallRunProcess.DropoutVariable] = dropout.ToString(CultureInfo.InvariantCulture);
        start.Environment["OMP_NUM_THREADS"] = "1";
        return Process.Start(start)!;
    }

    /// <summary>The losses of a run's steps, as the text that stands in its metrics.</summary>
    public static string[] Losses(string outDir)
    {
        var losses = new List<string>();
        foreach (var line in File.ReadLines(Path.Combine(outDir, "metrics.jsonl")))
        {
            if (!line.EndsWith('}')) break; // cut off by a kill
            using var document = JsonDocument.Parse(line);
            if (!document.RootElement.TryGetProperty("loss", out var loss)) continue;
            Assert.Equal(losses.Count, document.RootElement.GetProperty("iter").GetInt32());
            losses.Add(loss.GetRawText());
        }

        return [.. losses];
    }

    /// <summary>Checks that what a folder's disturbed run did is what an undisturbed one does: losses and weights, to the bit.</summary>
    public void MustEqualAnUndisturbedRun(string outDir)
    {
        var newest = Checkpoint.FindNewest(outDir)!;
        var undisturbed = outDir + "-undisturbed";
        Train(Options(undisturbed, maxIters: newest.Iteration - 1) with { SaveInterval = 0 });

        Assert.Equal(Losses(undisturbed), Losses(outDir)[..newest.Iteration]);
        var other = Checkpoint.FindNewest(undisturbed)!;
        Assert.Equal(newest.Iteration, other.Iteration);
        using var state = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(newest.Path, "trainer.json")));
        Assert.Equal(dropout == 0, state.RootElement.GetProperty("managed_pass").GetBoolean());
        foreach (var file in new[] { "model.safetensors", "optimizer.safetensors" })
            Assert.Equal(File.ReadAllBytes(Path.Combine(other.Path, file)), File.ReadAllBytes(Path.Combine(newest.Path, file)));
    }

    public static string Seconds(TimeSpan time) => time.TotalSeconds.ToString("F0", CultureInfo.InvariantCulture);
}

/// <summary>What the process that is to be killed runs.</summary>
public sealed class SmallRunProcess
{
    internal const string OutDirVariable = "NANOGPT_TEST_OUT_DIR";
    internal const string DropoutVariable = "NANOGPT_TEST_DROPOUT";

    [Fact(Explicit = true)]
    public void Train_in_a_new_process()
    {
        var run = new SmallRun(double.Parse(Variable(DropoutVariable), CultureInfo.InvariantCulture));
        run.Train(SmallRun.Options(Variable(OutDirVariable), maxIters: 1_000_000));

        static string Variable(string name) => Environment.GetEnvironmentVariable(name) ?? throw new InvalidOperationException($"{name} is not set.");
    }
}
