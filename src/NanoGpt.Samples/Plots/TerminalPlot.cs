// Curves drawn with braille characters: 2 x 4 dots in each cell of the terminal. Pictures in files are the library's RunReport.

using NanoGpt.Samples.Terminal;

namespace NanoGpt.Samples.Plots;

internal static class TerminalPlot
{
    private const int DotsAcross = 2, DotsDown = 4;
    private const char EmptyBraille = '\u2800';

    // The bit of each dot of a braille cell, by row and column (Unicode 15, "Braille Patterns").
    private static readonly byte[,] DotBits = { { 0x01, 0x08 }, { 0x02, 0x10 }, { 0x04, 0x20 }, { 0x40, 0x80 } };
    private static readonly Ink[] Inks = [Ink.Blue, Ink.Yellow, Ink.Green, Ink.Magenta, Ink.Red];
    private static readonly string Blocks = "▁▂▃▄▅▆▇█";

    /// <summary>Writes the curves with axes and, for more than one, a legend.</summary>
    /// <param name="screen">Decides colours.</param>
    /// <param name="curves">Later ones are drawn over earlier ones.</param>
    /// <param name="width">Columns in all.</param>
    /// <param name="height">Rows of the plot itself.</param>
    public static void Write(Screen screen, IReadOnlyList<Curve> curves, int width, int height)
    {
        var y = Axis.Over(curves.SelectMany(c => c.Points).Select(p => p.Y), tickCount: height / 3, roundEnds: true);
        var labelWidth = y.Ticks.Max(tick => y.Label(tick).Length);
        var columns = Math.Max(10, width - labelWidth - 3);
        var x = Axis.Over(curves.SelectMany(c => c.Points).Select(p => p.X), tickCount: columns / 12, roundEnds: false);

        var dots = new byte[height, columns];
        var owner = new int[height, columns];
        for (var i = 0; i < curves.Count; i++) Draw(curves[i], i, x, y, dots, owner);

        var tickRows = y.Ticks.ToDictionary(tick => (int)Math.Round((1 - y.Position(tick)) * (height - 1)), y.Label);
        for (var row = 0; row < height; row++)
        {
            var label = tickRows.GetValueOrDefault(row, "");
            screen.Line($"{label.PadLeft(labelWidth)} {(label.Length > 0 ? '┤' : '│')}{PaintRow(screen, dots, owner, row)}");
        }

        WriteXAxis(screen, x, labelWidth, columns);
        if (curves.Count > 1)
            screen.Line(new string(' ', labelWidth + 2) + string.Join("   ", curves.Select((c, i) => screen.Paint(Inks[i % Inks.Length], "━━ ") + c.Name)));
    }

    /// <summary>The whole curve as one line of blocks, its points averaged where they are more than columns.</summary>
    public static string Sparkline(IReadOnlyList<(double X, double Y)> points, int width)
    {
        var columns = Math.Min(width, points.Count);
        var means = new double[columns];
        for (var i = 0; i < columns; i++)
        {
            int from = i * points.Count / columns, to = (i + 1) * points.Count / columns;
            means[i] = points.Skip(from).Take(to - from).Average(point => point.Y);
        }

        double low = means.DefaultIfEmpty().Min(), high = means.DefaultIfEmpty().Max();
        return string.Concat(means.Select(mean => Blocks[high > low ? (int)((mean - low) / (high - low) * (Blocks.Length - 1)) : 0]));
    }

    private static void Draw(Curve curve, int index, Axis x, Axis y, byte[,] dots, int[,] owner)
    {
        int right = dots.GetLength(1) * DotsAcross - 1, bottom = dots.GetLength(0) * DotsDown - 1;
        (int X, int Y)? previous = null;
        foreach (var point in curve.Points.Where(p => double.IsFinite(p.Y)))
        {
            var dot = (X: (int)Math.Round(x.Position(point.X) * right), Y: (int)Math.Round((1 - y.Position(point.Y)) * bottom));
            var from = previous ?? dot;
            var steps = Math.Max(1, Math.Max(Math.Abs(dot.X - from.X), Math.Abs(dot.Y - from.Y)));
            for (var i = 0; i <= steps; i++)
            {
                int column = from.X + (dot.X - from.X) * i / steps, line = from.Y + (dot.Y - from.Y) * i / steps;
                dots[line / DotsDown, column / DotsAcross] |= DotBits[line % DotsDown, column % DotsAcross];
                owner[line / DotsDown, column / DotsAcross] = index;
            }

            previous = dot;
        }
    }

    private static string PaintRow(Screen screen, byte[,] dots, int[,] owner, int row)
    {
        var line = new System.Text.StringBuilder();
        for (var column = 0; column < dots.GetLength(1); column++)
        {
            var cell = ((char)(EmptyBraille + dots[row, column])).ToString();
            line.Append(dots[row, column] == 0 ? " " : screen.Paint(Inks[owner[row, column] % Inks.Length], cell));
        }

        return line.ToString().TrimEnd();
    }

    private static void WriteXAxis(Screen screen, Axis x, int labelWidth, int columns)
    {
        var rule = new string('─', columns).ToCharArray();
        var labels = new string(' ', columns + 8).ToCharArray();
        var free = 0;
        foreach (var tick in x.Ticks)
        {
            var column = (int)Math.Round(x.Position(tick) * (columns - 1));
            var text = x.Label(tick);
            var start = Math.Clamp(column - text.Length / 2, 0, columns - text.Length);
            if (start < free) continue;
            rule[column] = '┬';
            text.CopyTo(0, labels, start, text.Length);
            free = start + text.Length + 1;
        }

        screen.Line($"{new string(' ', labelWidth)} └{new string(rule)}");
        screen.Line($"{new string(' ', labelWidth + 2)}{new string(labels).TrimEnd()}");
    }
}
