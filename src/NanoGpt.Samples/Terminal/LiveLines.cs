// A few lines at the bottom of a terminal that are drawn over and over, with ordinary lines scrolling by above them.

using System.Text;

namespace NanoGpt.Samples.Terminal;

/// <summary>For terminals only. Lines are cut at the right edge: a line that wraps could not be drawn over.</summary>
internal sealed class LiveLines(Screen screen)
{
    private int drawn;

    /// <summary>Writes an ordinary line above the live ones, which have to be drawn again.</summary>
    public void Scroll(string text)
    {
        screen.Write(Home());
        screen.Line(text);
    }

    /// <summary>Replaces what was drawn before.</summary>
    /// <param name="lines">Each line as pieces of one colour.</param>
    public void Draw(params IReadOnlyList<(Ink Ink, string Text)>[] lines)
    {
        var text = new StringBuilder(Home());
        foreach (var line in lines) text.Append(Cut(line)).Append("\e[K\n");
        screen.Write(text.ToString());
        drawn = lines.Length;
    }

    // Up to the first live line, and everything from there on cleared.
    private string Home()
    {
        if (drawn == 0) return "";
        var home = $"\e[{drawn}A\r\e[J";
        drawn = 0;
        return home;
    }

    private string Cut(IReadOnlyList<(Ink Ink, string Text)> pieces)
    {
        var room = screen.Width - 1;
        var line = new StringBuilder();
        foreach (var (ink, text) in pieces)
        {
            var shown = text.Length <= room ? text : text[..room];
            line.Append(screen.Paint(ink, shown));
            room -= shown.Length;
        }

        return line.ToString();
    }
}
