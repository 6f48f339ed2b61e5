// prepare, train, sample, plot: the way of a user from a text to a text, in a folder of their own.

using System.Diagnostics;
using System.Text.RegularExpressions;

namespace NanoGpt.EndToEnd.Samples;

public sealed class TrainingCommandTests
{
    private static readonly string[] Tiny =
        ["--dataset=saltmarrow_char", "--device=cpu", "--n_layer=1", "--n_head=2", "--n_embd=16", "--block_size=16", "--batch_size=4", "--eval_iters=2"];

    [Fact]
    public void From_a_text_to_a_text()
    {
        using var nanogpt = new Nanogpt();
        var prepared = nanogpt.Run("prepare", "saltmarrow_char", $"--input={TinyModel.Text}");
        prepared.MustSucceed();
        Assert.Contains("train has 31,741 tokens, val has 3,527", prepared.Output);

        var trained = nanogpt.Run(["train", .. Tiny, "--max_iters=20", "--eval_interval=10", "--out_dir=run"]);
        trained.MustSucceed();
        Assert.DoesNotContain('\e', trained.Output);
        Assert.Matches(new Regex(@"^step 0: train loss \d\.\d{4}, val loss \d\.\d{4}$", RegexOptions.Multiline), trained.Output);
        Assert.Equal(21, Regex.Count(trained.Output, @"^iter \d+: loss \d\.\d{4}, time \d+\.\d\dms, mfu -?\d+\.\d\d%$", RegexOptions.Multiline));

        var resumed = nanogpt.Run("train", "--max_iters=30", "--out_dir=run", "--init_from=resume"); // the rest is as it was
        resumed.MustSucceed();
        Assert.Matches(new Regex("^iter 30: ", RegexOptions.Multiline), resumed.Output);
        Assert.Contains("tokens per iteration will be: 64 (1 x 4 x 16)", resumed.Output);
        Assert.DoesNotContain("changed since", resumed.Output);
        Assert.DoesNotMatch(new Regex("^iter 19: ", RegexOptions.Multiline), resumed.Output);

        var sampled = nanogpt.Run("sample", "--out_dir=run", "--start=The lamp", "--num_samples=2", "--max_new_tokens=12");
        sampled.MustSucceed();
        Assert.Empty(sampled.Errors);
        var samples = sampled.Output.Split("\n---------------\n");
        Assert.Equal(["", "The lamp", "The lamp"], samples.Select(s => s.Length >= 8 ? s[..8] : s).Order());
        Assert.NotEqual(samples[0], samples[1]);
        Assert.Equal(sampled, nanogpt.Run("sample", "--out_dir=run", "--start=The lamp", "--num_samples=2", "--max_new_tokens=12"));

        var plotted = nanogpt.Run("plot", "run", "--report=page.html");
        plotted.MustSucceed();
        Assert.Contains("<svg", File.ReadAllText(nanogpt.PathOf("page.html")));
        Assert.Contains("━━ val loss", plotted.Output);
        nanogpt.Run("plot", "run/log.txt", "--report=loss.svg").MustSucceed();
        Assert.StartsWith("<svg xmlns", File.ReadAllText(nanogpt.PathOf("loss.svg")));

        var scored = nanogpt.Run("eval", "data/saltmarrow_char/val.bin", "--out_dir=run", "--max_tokens=200");
        scored.MustSucceed();
        Assert.Matches(new Regex(@"perplexity +\d+\.\d\d"), scored.Output);
    }

    [Fact]
    public void A_terminal_gets_a_live_view_that_fits_it()
    {
        const string script = "/usr/bin/script";
        Assert.SkipUnless(OperatingSystem.IsLinux() && File.Exists(script), $"{script} is not there, to make a terminal");
        using var nanogpt = new Nanogpt();
        nanogpt.Run("prepare", "saltmarrow_char", $"--input={TinyModel.Text}").MustSucceed();
        var train = $"stty cols 60 rows 20; exec dotnet {Nanogpt.Program} train {string.Join(' ', Tiny)} --max_iters=20 --eval_interval=10 --sample_start=The --sample_tokens=5";
        var start = new ProcessStartInfo(script, ["-qec", train, "/dev/null"]) { WorkingDirectory = nanogpt.Folder, RedirectStandardOutput = true, RedirectStandardInput = true };
        start.Environment["TERM"] = "xterm";
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();

        Assert.True(process.ExitCode == 0, output);
        var lines = output.Split("\r\n").Select(line => Regex.Replace(line[(line.LastIndexOf("\e[J", StringComparison.Ordinal) is var home and >= 0 ? home + 3 : 0)..], @"\e\[[0-9;?]*[A-Za-z]|\e[=>]", "")).ToList();
        var drawn = lines.Where(line => line.Contains('━') || line.Contains('─') || line.StartsWith("loss ", StringComparison.Ordinal) || line.Contains('▁')).ToList();
        Assert.True(drawn.Count >= 9, output); // three lines, at least as often as an evaluation was there
        Assert.All(drawn, line => Assert.InRange(line.Length, 1, 59));
        Assert.Contains(drawn, line => line.Contains("iter 20 of 20", StringComparison.Ordinal));
        Assert.DoesNotContain("iter 20: loss", output, StringComparison.Ordinal);
        Assert.Contains("step 20: train loss", output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_config_file_comes_first_and_the_command_line_wins()
    {
        using var nanogpt = new Nanogpt();
        nanogpt.Run("prepare", "saltmarrow_char", $"--input={TinyModel.Text}").MustSucceed();
        File.WriteAllText(nanogpt.PathOf("tiny.py"), "# a comment\nn_layer = 1\nn_head = 2\nn_embd = 16\nblock_size = 16\nbatch_size = 4\neval_iters = 1\nmax_iters = 500\ndevice = 'cpu'\ndataset = 'saltmarrow_char'\n");
        var trained = nanogpt.Run("train", "tiny.py", "--max_iters=2", "--wandb_log=True");
        trained.MustSucceed();
        Assert.Matches(new Regex("^iter 2: ", RegexOptions.Multiline), trained.Output);
        Assert.DoesNotMatch(new Regex("^iter 3: ", RegexOptions.Multiline), trained.Output);
        Assert.Contains("TensorBoard", trained.Errors);

        var wrong = nanogpt.Run("train", "tiny.py", "--n_embd=17");
        Assert.Equal(1, wrong.ExitCode);
        Assert.Contains("n_embd (17) is not divisible by n_head (2)", wrong.Errors);
    }

    [Fact]
    public void Finetune_takes_the_shape_of_the_model_and_says_so_where_an_option_differs()
    {
        using var nanogpt = new Nanogpt();
        TinyModel.Write(nanogpt.PathOf("tiny"));
        nanogpt.Run("prepare", "saltmarrow_char", $"--input={TinyModel.Text}").MustSucceed();
        var tuned = nanogpt.Run("finetune", "--init_from=tiny", "--dataset=saltmarrow_char", "--device=cpu", "--max_iters=2", "--eval_interval=1", "--eval_iters=1", "--block_size=16", "--n_layer=5");
        tuned.MustSucceed();
        Assert.Contains("n_layer=5 is not used: tiny has 2", tuned.Errors);
        nanogpt.Run("convert", "out", "converted").MustSucceed();
        Assert.Contains("\"n_positions\": 16", File.ReadAllText(nanogpt.PathOf("converted/config.json")));
    }

    [Theory]
    [InlineData("INT", 130)]
    [InlineData("TERM", 143)]
    public void A_signal_ends_training_with_a_checkpoint(string signal, int exitCode)
    {
        if (OperatingSystem.IsWindows()) Assert.Skip("Windows has no signals to send.");
        using var nanogpt = new Nanogpt();
        nanogpt.Run("prepare", "saltmarrow_char", $"--input={TinyModel.Text}").MustSucceed();
        using var process = nanogpt.Start(["train", .. Tiny, "--max_iters=1000000", "--eval_interval=1000000", "--out_dir=run"]);
        while (process.StandardOutput.ReadLine() is { } line && !line.StartsWith("iter 3:", StringComparison.Ordinal))
        {
        }

        _ = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        using (var kill = Process.Start("kill", ["-" + signal, $"{process.Id}"])) kill.WaitForExit();
        Assert.True(process.WaitForExit(TimeSpan.FromMinutes(2)));
        Assert.Equal(exitCode, process.ExitCode);
        Assert.Contains(Directory.EnumerateDirectories(nanogpt.PathOf("run")), folder => Path.GetFileName(folder).StartsWith("ckpt-", StringComparison.Ordinal));
    }

    [Fact]
    public void Quickstart_learns_plots_saves_and_samples()
    {
        using var nanogpt = new Nanogpt();
        TinyModel.Write(nanogpt.PathOf("tiny"));
        var outcome = nanogpt.Run("quickstart", "--model=tiny", "--max_iters=12");
        outcome.MustSucceed();
        foreach (var call in new[] { "GPT.FromPretrained(", "TokenDataset.FromText(", "new Trainer(", "gpt.SavePretrained(", "tuned.Generate(" }) Assert.Contains(call, outcome.Output);
        Assert.True(File.Exists(nanogpt.PathOf("out/quickstart/loss.svg")));
        using var tuned = GPT.FromPretrained(nanogpt.PathOf("out/quickstart/model"));
        using var before = GPT.FromPretrained(nanogpt.PathOf("tiny"));
        var text = File.ReadAllText(TinyModel.Text)[..2000];
        Assert.True(Loss(tuned) < Loss(before), $"{Loss(tuned)} after, {Loss(before)} before");

        double Loss(GPT gpt)
        {
            using var generator = new Generator(gpt);
            return generator.Score(text, TestContext.Current.CancellationToken).Loss;
        }
    }

    [Fact]
    public void The_bundled_model_knows_the_characters_of_the_bundled_text()
    {
        using var gpt = GPT.FromPretrained(Path.Combine(AppContext.BaseDirectory, "BundledModel"));
        var text = File.ReadAllText(TinyModel.Text);
        Assert.Equal(text, gpt.Tokenizer.Decode(gpt.Tokenizer.Encode(text)));
    }
}
