// The pages that tell a user what there is.

namespace NanoGpt.EndToEnd.Samples;

public sealed class HelpTests
{
    private static readonly string[] CommandNames = [.. NanoGpt.Samples.CommandList.All.Select(command => command.Name)];

    public static TheoryData<string> Commands => [.. CommandNames];

    [Fact]
    public void Alone_it_lists_every_command_and_the_exit_codes()
    {
        using var nanogpt = new Nanogpt();
        var outcome = nanogpt.Run();
        outcome.MustSucceed();
        foreach (var name in CommandNames) Assert.Contains("  " + name, outcome.Output);
        Assert.Contains("130", outcome.Output);
        Assert.Empty(outcome.Errors);
    }

    [Theory]
    [MemberData(nameof(Commands))]
    public void Help_shows_examples_and_describes_each_option_within_80_columns(string command)
    {
        using var nanogpt = new Nanogpt();
        var outcome = nanogpt.Run(command, "--help");
        outcome.MustSucceed();
        var lines = outcome.Output.Split('\n');
        Assert.Contains(lines, line => line.StartsWith("  nanogpt " + command, StringComparison.Ordinal));
        Assert.All(lines, line => Assert.True(line.Length <= 80, line));
        Assert.DoesNotContain('\e', outcome.Output);
        for (var i = 0; i < lines.Length; i++)
        {
            if (lines[i].StartsWith("  --", StringComparison.Ordinal))
                Assert.True(lines[i + 1].StartsWith("      ", StringComparison.Ordinal), $"no description: {lines[i]}");
        }
    }

    [Fact]
    public void Version_is_the_library_s()
    {
        using var nanogpt = new Nanogpt();
        var outcome = nanogpt.Run("--version");
        outcome.MustSucceed();
        Assert.Equal($"nanogpt {typeof(GPTConfig).Assembly.GetName().Version!.ToString(3)}", outcome.Output.Trim());
    }
}
