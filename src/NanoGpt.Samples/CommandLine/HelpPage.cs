// The page that `nanogpt COMMAND --help` shows, laid out for 80 columns.

using NanoGpt.Samples.Terminal;

namespace NanoGpt.Samples.CommandLine;

internal static class HelpPage
{
    private const int Width = 80;

    public static void Write(Command command, Screen screen)
    {
        screen.Line($"{screen.Paint(Ink.Bold, "nanogpt " + command.Name)} - {command.Summary}");
        screen.Line();
        Heading(screen, "Usage");
        WriteWrapped(screen, Usage(command), indent: 2, hanging: 6);
        screen.Line();
        Heading(screen, "Examples");
        foreach (var example in command.Examples) screen.Line("  nanogpt " + example);
        screen.Line();
        Heading(screen, "Options (and their defaults)");
        foreach (var option in command.Options.All) WriteOption(screen, option);
        screen.Line("  " + screen.Paint(Ink.Cyan, "--verbose"));
        WriteWrapped(screen, "Show the whole exception when something fails.", indent: 6, hanging: 6);
        if (command.Remarks.Length == 0) return;
        screen.Line();
        foreach (var paragraph in command.Remarks.Split('\n')) WriteWrapped(screen, paragraph, 0, 0);
    }

    public static void Heading(Screen screen, string text) => screen.Line(screen.Paint(Ink.Bold, text));

    /// <summary>Writes <paramref name="text"/> broken between words.</summary>
    /// <param name="screen">Where to.</param>
    /// <param name="text">One paragraph.</param>
    /// <param name="indent">Spaces before the first line.</param>
    /// <param name="hanging">Spaces before the others.</param>
    public static void WriteWrapped(Screen screen, string text, int indent, int hanging)
    {
        var line = new string(' ', indent);
        var isEmpty = true;
        foreach (var word in text.Split(' '))
        {
            if (!isEmpty && line.Length + 1 + word.Length > Width)
            {
                screen.Line(line);
                line = new string(' ', hanging);
                isEmpty = true;
            }

            line += isEmpty ? word : " " + word;
            isEmpty = false;
        }

        screen.Line(line);
    }

    private static string Usage(Command command)
    {
        var files = command.TakesConfigFiles ? " [CONFIG.json|CONFIG.py ...]" : "";
        var bare = string.Concat(command.Options.Positionals.Select(o => " " + Placeholder(o)));
        return $"nanogpt {command.Name}{files}{bare} [--option=value ...]";
    }

    private static string Placeholder(Option option) => option.Name.ToUpperInvariant() + (option.IsList ? "..." : "");

    private static void WriteOption(Screen screen, Option option)
    {
        var name = option.IsPositional ? $"{Placeholder(option)} or --{option.Name}" : "--" + option.Name;
        screen.Line("  " + screen.Paint(Ink.Cyan, name) + (option.DefaultText is { } value ? "=" + value : ""));
        if (option.Description.Length > 0) WriteWrapped(screen, option.Description, indent: 6, hanging: 6);
    }
}
