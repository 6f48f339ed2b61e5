// The chat command: as a program among others through pipes, and as a person sees it, in a pseudo terminal.

using System.Diagnostics;
using System.Text;
using NanoGpt.EndToEnd.Package;

namespace NanoGpt.EndToEnd.Samples;

public sealed class ChatTests : IDisposable
{
    private static readonly string Model = Repository.File("tests", "NanoGpt.Tests", "Vectors", "tiny-gpt2", "vocab50257");
    private static readonly GenerationOptions Greedy = new() { MaxNewTokens = 8, Temperature = 0, StopStrings = ["<endOfText>", "<human>"] };
    private readonly Nanogpt nanogpt = new();

    public void Dispose() => nanogpt.Dispose();

    [Fact]
    public void Answers_are_the_library_s_and_the_transcript_goes_on()
    {
        using var gpt = GPT.FromPretrained(Model);
        var transcript = "<human>One<endOfText><bot>";
        var first = gpt.Generate(transcript, Greedy);
        var second = gpt.Generate(transcript + first + "<endOfText><human>Two<endOfText><bot>", Greedy);

        var outcome = Chat("One\nTwo\n/reset\nOne\n/system Rules. \nOne\n");

        outcome.MustSucceed();
        var instructed = gpt.Generate("Rules.<human>One<endOfText><bot>", Greedy);
        Assert.Equal($"{first}\n{second}\n{first}\n{instructed}\n", outcome.Output); // nothing else: no names, no colours
        Assert.Empty(outcome.Errors);
    }

    [Fact]
    public void A_conversation_is_saved_and_goes_on_in_another_run()
    {
        var whole = Chat("One\nTwo\n");
        whole.MustSucceed();
        var before = Chat("One\n/save talk.json\n");
        before.MustSucceed();
        foreach (var after in new[] { Chat("Two\n", "--resume=talk.json"), Chat("/load talk.json\nTwo\n") })
        {
            after.MustSucceed();
            Assert.Equal(whole.Output, before.Output + after.Output);
        }

        var missing = Chat("/load nowhere.json\n/save no/such/folder/x.json\nOne\n");
        missing.MustSucceed(); // and the conversation goes on
        Assert.Equal(before.Output, missing.Output);
        Assert.Contains("nowhere.json: cannot be read", missing.Errors, StringComparison.Ordinal);
        Assert.Equal(2, missing.Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);

        var broken = Chat("", "--resume=nowhere.json");
        Assert.Equal(1, broken.ExitCode);
    }

    [Fact]
    public void A_question_that_the_vocabulary_cannot_write_is_taken_back()
    {
        TinyModel.Write(nanogpt.PathOf("tiny"));
        string[] arguments = ["chat", "--init_from=tiny", "--template=plain", "--temperature=0", "--max_new_tokens=5"];
        var good = nanogpt.RunWithInput("lamp\n", arguments);
        var bad = nanogpt.RunWithInput("§\nlamp\n", arguments);
        good.MustSucceed();
        bad.MustSucceed();
        Assert.Equal(good.Output, bad.Output);
        Assert.Contains("§", bad.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task In_a_terminal_ctrl_c_stops_the_answer_and_at_the_question_the_program()
    {
        using var terminal = OpenTerminal(noColor: false);
        await terminal.SeeAsync("you: ");
        await terminal.TypeAsync("Tell me everything\r");
        await terminal.SeeAsync("bot: ");
        await terminal.SeeMoreAsync(50);
        await terminal.TypeAsync("\x03");
        await terminal.SeeAsync("(stopped)");
        await terminal.SeeAsync("you: ");
        await terminal.TypeAsync("/save talk.json\r");
        await terminal.SeeAsync("talk.json: 2 turns saved");
        await terminal.SeeAsync("you: ");
        await terminal.TypeAsync("\x03");
        Assert.Equal(130, await terminal.EndAsync());
        Assert.Contains("\e[36myou: \e[0m", terminal.Shown, StringComparison.Ordinal);
    }

    [Fact]
    public async Task In_a_terminal_without_colours_there_are_none()
    {
        using var terminal = OpenTerminal(noColor: true);
        await terminal.SeeAsync("you: ");
        await terminal.TypeAsync("/exit\r");
        Assert.Equal(0, await terminal.EndAsync());
        Assert.DoesNotContain("\e[36m", terminal.Shown, StringComparison.Ordinal);
        Assert.DoesNotContain("\e[2m", terminal.Shown, StringComparison.Ordinal);
    }

    private Outcome Chat(string input, params string[] more) =>
        nanogpt.RunWithInput(input, ["chat", $"--init_from={Model}", "--temperature=0", "--max_new_tokens=8", .. more]);

    private PseudoTerminal OpenTerminal(bool noColor) => PseudoTerminal.Start(
        nanogpt.Folder, $"dotnet '{Nanogpt.Program}' chat '--init_from={Model}' --max_new_tokens=1000000 --stop_at_end_of_text=False", noColor);
}

/// <summary>A program in a terminal of its own, made by the <c>script</c> program of Linux.</summary>
internal sealed class PseudoTerminal : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(1);
    private readonly Process process;
    private readonly StringBuilder shown = new();
    private int seen;

    private PseudoTerminal(Process process)
    {
        this.process = process;
        _ = ReadAsync();
    }

    /// <summary>All that the terminal has shown.</summary>
    public string Shown
    {
        get
        {
            lock (shown) return shown.ToString();
        }
    }

    public static PseudoTerminal Start(string folder, string command, bool noColor)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && File.Exists("/usr/bin/script"), "There is no `script` program here, which makes a terminal.");
        var start = new ProcessStartInfo("/usr/bin/script", ["--quiet", "--return", "--command", "exec " + command, "/dev/null"])
        {
            WorkingDirectory = folder, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
        };
        start.Environment["TERM"] = "xterm";
        start.Environment["NO_COLOR"] = noColor ? "1" : "";
        return new PseudoTerminal(Process.Start(start)!);
    }

    public async Task TypeAsync(string keys)
    {
        await process.StandardInput.WriteAsync(keys);
        await process.StandardInput.FlushAsync();
    }

    /// <summary>Waits until that text is shown, after what was waited for before.</summary>
    public Task SeeAsync(string text) => WaitAsync(all =>
    {
        var index = all.IndexOf(text, seen, StringComparison.Ordinal);
        if (index >= 0) seen = index + text.Length;
        return index >= 0;
    }, $"'{text}'");

    /// <summary>Waits until so many more characters are shown.</summary>
    public Task SeeMoreAsync(int count) => WaitAsync(all => all.Length >= seen + count, $"{count} characters more");

    public async Task<int> EndAsync()
    {
        await process.WaitForExitAsync().WaitAsync(Limit);
        return process.ExitCode;
    }

    public void Dispose()
    {
        if (!process.HasExited) process.Kill(entireProcessTree: true);
        process.Dispose();
    }

    private async Task WaitAsync(Func<string, bool> isThere, string what)
    {
        for (var watch = Stopwatch.StartNew(); !isThere(Shown); await Task.Delay(20))
            Assert.True(watch.Elapsed < Limit && !process.HasExited, $"{what} was never shown, only:\n{Shown}");
    }

    private async Task ReadAsync()
    {
        var buffer = new char[4096];
        while (await process.StandardOutput.ReadAsync(buffer) is > 0 and var count)
        {
            lock (shown) shown.Append(buffer, 0, count);
        }
    }
}
