// What a user gets wrong: one clear line on standard error, exit code 1, no stack trace.

using System.Text.RegularExpressions;

namespace NanoGpt.EndToEnd.Samples;

public sealed class BadInputTests
{
    /// <summary>The command line, and what the line must say.</summary>
    public static TheoryData<string[], string> Mistakes => new()
    {
        { ["trian"], "unknown command 'trian'; did you mean 'train'?" },
        { ["help", "trian"], "did you mean 'train'?" },
        { ["--versoin"], "unknown option '--versoin'; did you mean '--version'?" },
        { ["version"], "did you mean '--version'?" },
        { ["--n_layer=4", "train"], "the command comes first: nanogpt COMMAND --n_layer=4" },
        { ["train", "--hlep"], "did you mean 'help'?" },
        { ["train", "help"], "Did you mean '--help'?" },
        { ["doctor", "--fast"], "unknown option 'fast'" },
        { ["doctor", "now"], "'now' is not understood" },
        { ["train", "n_layer=4"], "Did you mean '--n_layer=4'?" },
        { ["convert", "no/such/folder", "x"], "no/such/folder" },
        { ["convert", "empty", "x"], "has no config.json" },
        { ["convert", "empty"], "two names are needed, what to convert and the folder to write; for example: nanogpt convert out/ckpt.pt my-model" },
        { ["upload"], "for example: nanogpt upload out/final me/bard" },
        { ["cache", "delete"], "which model? For example: nanogpt cache delete --model=gpt2" },
        { ["cache", "delete", "--model=nothing"], "nothing is not in the cache" },
        { ["cache", "verify", "--model=nothing"], "nothing is not in the cache" },
        { ["bench"], "for random ids: nanogpt bench --real_data=False" },
        { ["eval", "empty", "--init_from=tiny"], "empty is a folder" },
        { ["sample", "--init_from=tiny", "--num_samples=0"], "--num_samples=0: must be at least 1" },
        { ["serve", "--init_from=tiny", "--port=99999"], "--port=99999: must be from 0 to 65535" },
        { ["serve", "--init_from=tiny", "--max_tokens=0"], "--max_tokens=0: must be at least 1" },
        { ["eval"], "which file? For example: nanogpt eval my-book.txt" },
        { ["convert", "empty", "x", "--block_sise=3"], "did you mean 'block_size'?" },
        { ["convert", "empty", "x", "--block_size=big"], "must be a whole number" },
        { ["train", "--dataset=nothing"], "nothing" },
        { ["train", "nothing.json"], "nothing.json" },
        { ["train", "--learning_rte=1"], "did you mean 'learning_rate'?" },
        { ["train", "--init_from=resume", "--dataset=empty"], "there is no checkpoint to resume" },
        { ["sample", "--out_dir=nothing"], "nothing: no such folder; out_dir is where train wrote its run" },
        { ["sample", "--init_from=models/nothing"], "'models/nothing' is no file or folder here" },
        { ["sample", "--init_from=empty"], "has no config.json" },
        { ["sample", "--init_from=tiny", "--start="], "the prompt is empty" },
        { ["sample", "--init_from=tiny", "--start=FILE:nothing.txt"], "nothing.txt" },
        { ["sample", "--init_from=tiny", "--start=Twenty and twelve letters are too many"], "shorten the prompt" },
        { ["sample", "--init_from=tiny", "--start=\u00a7"], "\u00a7" },
        { ["sample", "--init_from=tiny", "--temperature=-1"], "Temperature is -1" },
        { ["prepare", "mine", "--input=nothing.txt"], "nothing.txt" },
        { ["prepare", "mine"], "--input" },
        { ["plot"], "which run? For example: nanogpt plot out" },
        { ["plot", "nothing"], "nothing" },
        { ["eval", "nothing.txt", "--init_from=tiny"], "nothing.txt" },
        { ["serve", "--init_from=tiny", "--host=nowhere"], "--host=nowhere" },
        { ["download", "no such model!"], "no such model!" },
        { ["download", "somebody/some-model"], "HF_HUB_OFFLINE" },
    };

    [Theory]
    [MemberData(nameof(Mistakes))]
    public void A_mistake_gives_one_clear_line_and_exit_code_1(string[] arguments, string message)
    {
        using var nanogpt = new Nanogpt();
        Directory.CreateDirectory(nanogpt.PathOf("empty"));
        if (arguments.Contains("--init_from=tiny")) TinyModel.Write(nanogpt.PathOf("tiny"));
        var outcome = nanogpt.Run(arguments);
        Assert.Equal(1, outcome.ExitCode);
        Assert.Empty(outcome.Output);
        var line = Assert.Single(outcome.Errors.TrimEnd('\n').Split('\n'));
        Assert.StartsWith("nanogpt", line, StringComparison.Ordinal);
        Assert.Contains(message, line);
        Assert.DoesNotMatch(new Regex(@"Exception|\bat NanoGpt|\(Parameter "), line);
    }

    [Fact]
    public void Verbose_shows_the_stack_trace_too()
    {
        using var nanogpt = new Nanogpt();
        var outcome = nanogpt.Run("convert", "no/such/folder", "x", "--verbose");
        Assert.Equal(1, outcome.ExitCode);
        Assert.Contains("   at NanoGpt.", outcome.Errors);
    }
}
