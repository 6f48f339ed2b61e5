// The code of docs/fine-tuning.md and docs/your-own-text.md.

using NanoGpt.Data;
using NanoGpt.Tokenization;

namespace NanoGpt.Consumer;

internal static class TrainingExamples
{
    private static readonly TrainerOptions Short = new() { MaxIters = 4, BatchSize = 2, BlockSize = 16, EvalInterval = 2, EvalIters = 2 };

    public static async Task Progress()
    {
        var options = Short with { OutDir = "out-progress" };
        #region progress
        using var gpt = GPT.FromPretrained("gpt2");
        using var data = TokenDataset.FromText("input.txt", gpt.Tokenizer);
        using var stop = new CancellationTokenSource(TimeSpan.FromMinutes(30));   // ends with a checkpoint, not with an exception

        var progress = new Progress<TrainingProgress>(p => { if (p.Text is not null) Console.WriteLine(p.Text); });
        var trainer = new Trainer(gpt, options)
        {
            OnEvaluation = e => Console.WriteLine($"{e.Iteration}: {e.TrainLoss:F3} {e.ValLoss:F3}{(e.IsBest ? " best" : "")}"),
            DrawSample = g => g.Generate("\n", new() { MaxNewTokens = 30, Seed = 1 }),
        };
        var result = await trainer.TrainAsync(data, progress, stop.Token);
        Console.WriteLine($"{result.End} after {result.Iterations} steps");
        #endregion
    }

    public static void Resume()
    {
        var options = Short with { OutDir = "out-progress" };
        #region resume
        using var gpt = GPT.FromPretrained(Checkpoint.FindNewest("out-progress")!.Path);   // the newest whole one
        using var data = TokenDataset.FromText("input.txt", gpt.Tokenizer);
        new Trainer(gpt, options with { ResumeFrom = "out-progress", MaxIters = 6 }).Train(data);
        #endregion
    }

    public static void FromScratch()
    {
        #region from scratch
        var tokenizer = CharacterTokenizer.FromText(File.ReadAllText("input.txt"));
        using var data = TokenDataset.FromText("input.txt", tokenizer);
        using var gpt = new GPT(new GPTConfig { VocabSize = tokenizer.VocabSize, BlockSize = 64, NLayer = 4, NHead = 4, NEmbd = 128 }, tokenizer);

        new Trainer(gpt, new() { MaxIters = 20, BatchSize = 12, LearningRate = 1e-3, EvalInterval = 10, EvalIters = 5, OutDir = "out-baby" }).Train(data);
        Console.WriteLine(gpt.Generate("\n", new() { MaxNewTokens = 100 }));
        #endregion
    }

    public static void YourOwnText()
    {
        #region your own text
        using var data = TokenDataset.FromText("input.txt", Tokenizer.Gpt2);   // nine tenths to learn from, one tenth to be tested on
        Console.WriteLine($"{data.Train.Count} and {data.Val.Count} tokens");
        #endregion
    }
}
