// What `nanogpt` alone, `nanogpt --help` and `nanogpt --version` show.

using System.Reflection;
using NanoGpt.Samples.Terminal;

namespace NanoGpt.Samples.CommandLine;

internal static class FrontPage
{
    /// <summary>Shows the page asked for; <c>help COMMAND</c> is that command's.</summary>
    public static int Run(string[] arguments, Screen output, Screen errors)
    {
        if (arguments is ["--version", ..])
        {
            output.Line("nanogpt " + typeof(FrontPage).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0]);
            return ExitCodes.Success;
        }

        if (arguments is ["help", var name, ..])
        {
            if (CommandList.Find(name) is { } command)
            {
                HelpPage.Write(command, output);
                return ExitCodes.Success;
            }

            errors.Line($"{errors.Paint(Ink.Red, "nanogpt:")} {NoCommand(name).Message}");
            return ExitCodes.Error;
        }

        Write(output);
        return ExitCodes.Success;
    }

    /// <summary>What to say where a command should stand and <paramref name="word"/> does.</summary>
    public static UsageException NoCommand(string word)
    {
        var isOption = word.StartsWith('-');
        var name = word.TrimStart('-').Split('=')[0];
        if (isOption && CommandList.All.Any(command => command.Options.All.Any(option => option.Name == name)))
            return new UsageException($"the command comes first: nanogpt COMMAND {word}");
        return new UsageException(UnknownName.Message(isOption ? "option" : "command", word, [.. CommandList.All.Select(c => c.Name), "help", "--help", "--version"]));
    }

    private static void Write(Screen screen)
    {
        screen.Line($"{screen.Paint(Ink.Bold, "nanogpt")} - GPT-2 in C#: train it, fine-tune it, talk to it");
        screen.Line();
        HelpPage.Heading(screen, "Usage");
        screen.Line("  nanogpt COMMAND [CONFIG ...] [--option=value ...]");
        screen.Line();
        HelpPage.Heading(screen, "Commands");
        foreach (var command in CommandList.All) screen.Line($"  {screen.Paint(Ink.Cyan, $"{command.Name,-12}")}{command.Summary}");
        screen.Line();
        HelpPage.Heading(screen, "First steps");
        screen.Line("  nanogpt quickstart             offline: load, fine-tune, plot, sample");
        screen.Line("  nanogpt COMMAND --help         options and examples");
        screen.Line("  nanogpt COMMAND --verbose      the whole exception when something fails");
        screen.Line();
        HelpPage.Heading(screen, "Exit codes");
        screen.Line("  0 done   1 failed, one line says why   130 Ctrl-C   143 SIGTERM");
        screen.Line("  A first Ctrl-C ends cleanly (train saves a checkpoint), a second at once.");
    }
}
