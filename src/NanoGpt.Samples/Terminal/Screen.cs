// Standard output or standard error: whether a person watches it, how wide it is, and whether it takes colours.

namespace NanoGpt.Samples.Terminal;

internal sealed class Screen
{
    private const int DefaultWidth = 80;
    private readonly TextWriter writer;

    private Screen(TextWriter writer, bool isRedirected)
    {
        this.writer = writer;
        IsTerminal = !isRedirected && Environment.GetEnvironmentVariable("TERM") != "dumb";
        HasColours = IsTerminal && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"));
    }

    /// <summary>A terminal that can redraw a line; otherwise a file or a pipe, which gets plain lines.</summary>
    public bool IsTerminal { get; }

    public bool HasColours { get; }

    public int Width => IsTerminal && Console.WindowWidth is > 0 and var width ? width : DefaultWidth;

    public static Screen StandardOutput()
    {
        if (OperatingSystem.IsWindows()) Console.OutputEncoding = System.Text.Encoding.UTF8;
        return new Screen(Console.Out, Console.IsOutputRedirected);
    }

    public static Screen StandardError() => new(Console.Error, Console.IsErrorRedirected);

    public void Write(string text) => writer.Write(text);

    public void Line(string text = "") => writer.WriteLine(text);

    public string Paint(Ink ink, string text) => HasColours && ink != Ink.Plain ? $"\e[{(int)ink}m{text}\e[0m" : text;
}
