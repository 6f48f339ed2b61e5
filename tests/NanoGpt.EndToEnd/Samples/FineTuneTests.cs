// Fine-tuning as a user does it: prepare a text with the model's vocabulary, finetune, sample from the checkpoint, go on.

using System.Globalization;
using System.Text.RegularExpressions;
using NanoGpt.EndToEnd.Package;

namespace NanoGpt.EndToEnd.Samples;

public sealed class FineTuneTests
{
    [Fact]
    public void The_bundled_model_learns_the_bundled_text()
    {
        var model = Path.Combine(AppContext.BaseDirectory, "BundledModel");
        MustLearn(model, TinyModel.Text, [$"--tokenizer={model}"], ["--batch_size=4", "--block_size=64", "--learning_rate=3e-4", "--max_iters=40", "--eval_interval=20", "--eval_iters=8"]);
    }

    [Fact]
    public void A_model_with_GPT2s_vocabulary_learns_Shakespeare()
    {
        var model = Repository.File("..", "shared", "fixtures", "tiny-gpt2", "vocab50257");
        var text = Repository.File("..", "shared", "data", "tinyshakespeare", "input.txt");
        Assert.SkipUnless(Directory.Exists(model) && File.Exists(text), "needs the fixtures beside the checkout");
        MustLearn(model, text, [], ["--learning_rate=3e-3", "--max_iters=40", "--eval_interval=20", "--eval_iters=4"]); // block_size: the model's 64
    }

    private static void MustLearn(string model, string text, string[] prepare, string[] finetune)
    {
        using var nanogpt = new Nanogpt();
        nanogpt.Run(["prepare", "book", $"--input={text}", .. prepare]).MustSucceed();

        var tuned = nanogpt.Run(["finetune", $"--init_from={model}", "--dataset=book", "--device=cpu", .. finetune]);
        tuned.MustSucceed();
        var losses = Regex.Matches(tuned.Output, @"^step \d+: train loss \S+, val loss (\S+)$", RegexOptions.Multiline)
            .Select(match => double.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture)).ToList();
        Assert.Equal(3, losses.Count);
        Assert.True(losses[2] < losses[0] - 0.05, $"from {losses[0]} to {losses[2]}"); // far above what 4 batches differ by

        using (var gpt = GPT.FromPretrained(Checkpoint.FindNewest(nanogpt.PathOf("out"))!.Path)) Assert.Equal(0, gpt.Config.ResidualDropout); // as nanoGPT, not as config.json
        var sampled = nanogpt.Run("sample", "--out_dir=out", "--start=The ", "--num_samples=1", "--max_new_tokens=10");
        sampled.MustSucceed();
        Assert.StartsWith("The ", sampled.Output);
        var resumed = nanogpt.Run("finetune", "--init_from=resume", "--max_iters=42");
        resumed.MustSucceed();
        Assert.Matches(new Regex("^iter 42: ", RegexOptions.Multiline), resumed.Output);
    }
}
