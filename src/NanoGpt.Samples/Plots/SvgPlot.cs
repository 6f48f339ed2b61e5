// Curves as an SVG file: axes, grid, legend; readable on a light and a dark page. No scripts, no fonts from elsewhere.

using System.Globalization;
using System.Security;
using System.Text;

namespace NanoGpt.Samples.Plots;

internal static class SvgPlot
{
    private const int Width = 800, Height = 450, Left = 64, Right = 24, Top = 48, Bottom = 56;
    private const int PlotWidth = Width - Left - Right, PlotHeight = Height - Top - Bottom;
    private static readonly string[] Colours = ["#4878cf", "#e08214", "#3a9e5c", "#a05eb5", "#c94f4f"];

    /// <summary>The whole document.</summary>
    /// <param name="title">Over the plot.</param>
    /// <param name="xLabel">Under the x axis.</param>
    /// <param name="yLabel">Beside the y axis.</param>
    /// <param name="curves">At least one.</param>
    public static string Render(string title, string xLabel, string yLabel, IReadOnlyList<Curve> curves)
    {
        var x = Axis.Over(curves.SelectMany(c => c.Points).Select(p => p.X), tickCount: 8, roundEnds: false);
        var y = Axis.Over(curves.SelectMany(c => c.Points).Select(p => p.Y), tickCount: 7, roundEnds: true);
        var svg = new StringBuilder();
        svg.Append(Invariant($"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {Width} {Height}\" width=\"{Width}\" height=\"{Height}\" "));
        svg.Append("font-family=\"system-ui, sans-serif\" font-size=\"13\" fill=\"#555\" role=\"img\">\n");
        svg.Append(Invariant($"<title>{Escape(title)}</title>\n"));
        svg.Append("<rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"#fff\"/>\n");
        svg.Append(Invariant($"<text x=\"{Left}\" y=\"28\" font-size=\"16\" font-weight=\"600\" fill=\"#222\">{Escape(title)}</text>\n"));
        AppendGrid(svg, x, y);
        svg.Append(Invariant($"<text x=\"{Left + PlotWidth / 2}\" y=\"{Height - 14}\" text-anchor=\"middle\">{Escape(xLabel)}</text>\n"));
        svg.Append(Invariant($"<text transform=\"translate(18 {Top + PlotHeight / 2}) rotate(-90)\" text-anchor=\"middle\">{Escape(yLabel)}</text>\n"));
        for (var i = 0; i < curves.Count; i++) AppendCurve(svg, curves[i], Colours[i % Colours.Length], x, y);
        AppendLegend(svg, curves);
        return svg.Append("</svg>\n").ToString();
    }

    private static void AppendGrid(StringBuilder svg, Axis x, Axis y)
    {
        foreach (var tick in y.Ticks)
        {
            var at = PixelY(y, tick);
            svg.Append(Invariant($"<line x1=\"{Left}\" x2=\"{Width - Right}\" y1=\"{at:0.0}\" y2=\"{at:0.0}\" stroke=\"#e4e4e4\"/>"));
            svg.Append(Invariant($"<text x=\"{Left - 8}\" y=\"{at + 4:0.0}\" text-anchor=\"end\">{y.Label(tick)}</text>\n"));
        }

        foreach (var tick in x.Ticks)
        {
            var at = PixelX(x, tick);
            svg.Append(Invariant($"<line x1=\"{at:0.0}\" x2=\"{at:0.0}\" y1=\"{Height - Bottom}\" y2=\"{Height - Bottom + 5}\" stroke=\"#888\"/>"));
            svg.Append(Invariant($"<text x=\"{at:0.0}\" y=\"{Height - Bottom + 20}\" text-anchor=\"middle\">{x.Label(tick)}</text>\n"));
        }

        svg.Append(Invariant($"<path d=\"M{Left} {Top}V{Height - Bottom}H{Width - Right}\" fill=\"none\" stroke=\"#888\"/>\n"));
    }

    // A curve of few points shows them as dots too: validation is measured rarely.
    private static void AppendCurve(StringBuilder svg, Curve curve, string colour, Axis x, Axis y)
    {
        var points = curve.Points.Where(p => double.IsFinite(p.Y)).Select(p => (X: PixelX(x, p.X), Y: PixelY(y, p.Y))).ToList();
        svg.Append("<polyline points=\"");
        svg.AppendJoin(' ', points.Select(p => Invariant($"{p.X:0.0},{p.Y:0.0}")));
        svg.Append(Invariant($"\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.8\" stroke-linejoin=\"round\"/>\n"));
        if (points.Count > 40) return;
        foreach (var p in points) svg.Append(Invariant($"<circle cx=\"{p.X:0.0}\" cy=\"{p.Y:0.0}\" r=\"3\" fill=\"{colour}\"/>"));
        svg.Append('\n');
    }

    private static void AppendLegend(StringBuilder svg, IReadOnlyList<Curve> curves)
    {
        for (var i = 0; i < curves.Count; i++)
        {
            var top = Top + 14 + 20 * i;
            svg.Append(Invariant($"<rect x=\"{Width - Right - 150}\" y=\"{top - 6}\" width=\"18\" height=\"4\" fill=\"{Colours[i % Colours.Length]}\"/>"));
            svg.Append(Invariant($"<text x=\"{Width - Right - 124}\" y=\"{top}\">{Escape(curves[i].Name)}</text>\n"));
        }
    }

    private static double PixelX(Axis x, double value) => Left + x.Position(value) * PlotWidth;

    private static double PixelY(Axis y, double value) => Top + (1 - y.Position(value)) * PlotHeight;

    private static string Escape(string text) => SecurityElement.Escape(text);

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
