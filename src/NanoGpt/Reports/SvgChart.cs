// One chart as SVG, for a page or as a file of its own: axes with round ticks, curves, a legend. Knows numbers and colours; not
// what they mean.

using System.Globalization;
using System.Net;
using System.Text;

namespace NanoGpt.Reports;

/// <summary>How a curve is drawn.</summary>
/// <param name="Name">What the legend says; empty to stay out of it.</param>
/// <param name="Colour">A CSS colour.</param>
/// <param name="Points">In the order of x.</param>
/// <param name="Faint">Whether it is only the background of another.</param>
/// <param name="Dots">Whether each point is marked.</param>
/// <param name="Dashed">Whether the line is dashed.</param>
internal sealed record Curve(string Name, string Colour, IReadOnlyList<Point> Points, bool Faint = false, bool Dots = false, bool Dashed = false);

/// <summary>Draws curves over iterations.</summary>
/// <param name="title">What stands above the chart.</param>
/// <param name="curves">The curves, the lowest first.</param>
/// <param name="marks">Iterations at which something happened.</param>
/// <param name="isWide">Whether it takes the width of the page; else half of it.</param>
internal sealed class SvgChart(string title, IReadOnlyList<Curve> curves, IReadOnlyList<int>? marks = null, bool isWide = false)
{
    public const double Left = 64, Right = 24, Top = 12, Bottom = 30;

    /// <summary>How the parts of a chart look.</summary>
    public const string Style = """
        :root { --line: #8884; --soft: #888; }
        .grid { stroke: var(--line); } .tick { font-size: 12px; fill: var(--soft); } .mark { stroke: var(--soft); stroke-dasharray: 2 4; }
        .curve { fill: none; stroke-width: 1.8; stroke-linejoin: round; } .faint { opacity: .3; stroke-width: 1; } .dashed { stroke-dasharray: 5 4; }
        """;

    private const int MostPoints = 1500; // more cannot be seen on that many pixels

    private readonly (double Width, double Height) _size = isWide ? (1100, 380) : (540, 260);

    private List<Curve> Drawn => [.. curves.Select(curve => curve with { Points = Thin([.. curve.Points.Where(p => double.IsFinite(p.Y))]) })
        .Where(curve => curve.Points.Count > 0)];

    /// <summary>The chart as a figure of a page that has <see cref="Style"/>; empty where no curve has a point.</summary>
    public string Render()
    {
        var drawn = Drawn;
        if (drawn.Count == 0) return "";
        var figure = new StringBuilder();
        figure.Append(CultureInfo.InvariantCulture, $"<figure{(isWide ? " class=\"wide\"" : "")}><figcaption>{Text(title)}</figcaption>\n");
        Chart(figure, drawn);
        Legend(figure, drawn);
        return figure.Append("</figure>\n").ToString();
    }

    /// <summary>The chart as a file: on white, so that it can be read on any page.</summary>
    public string RenderFile()
    {
        const int head = 54, letter = 7; // pixels
        var (width, height) = _size;
        var svg = new StringBuilder();
        svg.Append(CultureInfo.InvariantCulture, $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height + head}\" width=\"{width}\" height=\"{height + head}\" ");
        svg.Append(CultureInfo.InvariantCulture, $"font-family=\"system-ui, sans-serif\" font-size=\"13\" fill=\"#555\">\n<title>{Text(title)}</title>\n<style>{Style}</style>\n");
        svg.Append(CultureInfo.InvariantCulture, $"<rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"#fff\"/>\n<text x=\"{Left}\" y=\"26\" font-size=\"16\" font-weight=\"600\" fill=\"#222\">{Text(title)}</text>\n");
        var at = Left;
        foreach (var curve in Drawn.Where(curve => curve.Name.Length > 0))
        {
            svg.Append(CultureInfo.InvariantCulture, $"<line class=\"curve{(curve.Dashed ? " dashed" : "")}\" stroke=\"{curve.Colour}\" x1=\"{at}\" x2=\"{at + 20}\" y1=\"42\" y2=\"42\"/>");
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{at + 26}\" y=\"46\">{Text(curve.Name)}</text>\n");
            at += 46 + letter * curve.Name.Length;
        }

        svg.Append(CultureInfo.InvariantCulture, $"<g transform=\"translate(0 {head})\">\n");
        Chart(svg, Drawn, $" width=\"{width}\" height=\"{height}\"");
        return svg.Append("</g>\n</svg>\n").ToString();
    }

    private void Chart(StringBuilder svg, List<Curve> drawn, string size = "")
    {
        var (width, height) = _size;
        var all = drawn.SelectMany(curve => curve.Points).ToList();
        var x = Scale.Of(all.Min(p => p.X), all.Max(p => p.X), Left, width - Right, isWhole: true);
        var y = Scale.Of(all.Min(p => p.Y), all.Max(p => p.Y), height - Bottom, Top, isWhole: false);

        svg.Append(CultureInfo.InvariantCulture, $"<svg{size} viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{Text(title)}\"");
        svg.Append(CultureInfo.InvariantCulture, $" data-x0=\"{x.Low:R}\" data-x1=\"{x.High:R}\" data-y0=\"{y.Low:R}\" data-y1=\"{y.High:R}\">\n");
        foreach (var tick in y.Ticks)
        {
            svg.Append(CultureInfo.InvariantCulture, $"<line class=\"grid\" x1=\"{Left}\" x2=\"{width - Right}\" y1=\"{y[tick]:F1}\" y2=\"{y[tick]:F1}\"/>");
            svg.Append(CultureInfo.InvariantCulture, $"<text class=\"tick\" x=\"{Left - 8}\" y=\"{y[tick] + 4:F1}\" text-anchor=\"end\">{Label(tick, y.Step)}</text>\n");
        }

        foreach (var tick in x.Ticks)
            svg.Append(CultureInfo.InvariantCulture, $"<text class=\"tick\" x=\"{x[tick]:F1}\" y=\"{height - 10}\" text-anchor=\"middle\">{Label(tick, x.Step)}</text>\n");
        foreach (var mark in marks ?? [])
            svg.Append(CultureInfo.InvariantCulture, $"<line class=\"mark\" x1=\"{x[mark]:F1}\" x2=\"{x[mark]:F1}\" y1=\"{Top}\" y2=\"{height - Bottom}\"><title>resumed at {mark}</title></line>\n");
        foreach (var curve in drawn) Draw(svg, curve, x, y);
        svg.Append("</svg>\n");
    }

    private static void Draw(StringBuilder svg, Curve curve, Scale x, Scale y)
    {
        var points = string.Join(' ', curve.Points.Select(p => string.Create(CultureInfo.InvariantCulture, $"{x[p.X]:F2},{y[p.Y]:F2}")));
        var style = (curve.Faint ? " faint" : "") + (curve.Dashed ? " dashed" : "");
        svg.Append(CultureInfo.InvariantCulture, $"<polyline class=\"curve{style}\" stroke=\"{curve.Colour}\" data-name=\"{Text(curve.Name)}\" points=\"{points}\"/>\n");
        if (!curve.Dots && curve.Points.Count > 1) return;
        foreach (var p in curve.Points)
            svg.Append(CultureInfo.InvariantCulture, $"<circle cx=\"{x[p.X]:F2}\" cy=\"{y[p.Y]:F2}\" r=\"2.6\" fill=\"{curve.Colour}\"><title>{Text(curve.Name)} {p.X}: {p.Y:G6}</title></circle>");
        svg.Append('\n');
    }

    private static void Legend(StringBuilder svg, List<Curve> drawn)
    {
        if (!drawn.Exists(curve => curve.Name.Length > 0)) return;
        svg.Append("<p class=\"legend\">");
        foreach (var curve in drawn.Where(curve => curve.Name.Length > 0))
        {
            svg.Append(CultureInfo.InvariantCulture,
                $"<span><i class=\"key{(curve.Dashed ? " dashed" : "")}\" style=\"border-color:{curve.Colour}\"></i>{Text(curve.Name)}</span> ");
        }

        svg.Append("</p>\n");
    }

    /// <summary>At most <see cref="MostPoints"/>: of each stretch its lowest and highest point, so that no spike is lost.</summary>
    internal static IReadOnlyList<Point> Thin(IReadOnlyList<Point> points)
    {
        if (points.Count <= MostPoints) return points;
        var thinned = new List<Point>(MostPoints);
        const int stretches = MostPoints / 2;
        for (var i = 0; i < stretches; i++)
        {
            var from = (int)((long)points.Count * i / stretches);
            var to = (int)((long)points.Count * (i + 1) / stretches);
            int low = from, high = from;
            for (var j = from; j < to; j++)
            {
                if (points[j].Y < points[low].Y) low = j;
                if (points[j].Y > points[high].Y) high = j;
            }

            thinned.Add(points[Math.Min(low, high)]);
            if (low != high) thinned.Add(points[Math.Max(low, high)]);
        }

        return thinned;
    }

    // As many digits as neighbouring ticks need to differ; powers of ten for very small and very large numbers.
    private static string Label(double tick, double step)
    {
        if (Math.Abs(tick) >= 1e6 && step >= 1e5) return (tick / 1e6).ToString("0.##", CultureInfo.InvariantCulture) + "M";
        if (step < 1e-3) return tick == 0 ? "0" : tick.ToString("0.##e-0", CultureInfo.InvariantCulture);
        var digits = Math.Max(0, (int)Math.Ceiling(-Math.Log10(step) - 1e-9));
        return tick.ToString("N" + digits, CultureInfo.InvariantCulture);
    }

    private static string Text(string text) => WebUtility.HtmlEncode(text);

    /// <summary>From numbers to pixels, with ticks at round numbers.</summary>
    private sealed record Scale(double Low, double High, double Step, double From, double To)
    {
        public double this[double value] => From + (value - Low) / (High - Low) * (To - From);

        public IEnumerable<double> Ticks
        {
            get
            {
                for (var i = Math.Ceiling(Low / Step - 1e-9); i * Step <= High + Step * 1e-9; i++) yield return i * Step + 0.0; // no -0
            }
        }

        public static Scale Of(double low, double high, double from, double to, bool isWhole)
        {
            if (high - low < 1e-12 * Math.Max(1e-9, Math.Abs(high))) (low, high) = isWhole ? (low - 1, high + 1) : (low - Math.Max(1e-9, Math.Abs(low) * 0.1), high + Math.Max(1e-9, Math.Abs(high) * 0.1));
            var rough = (high - low) / (isWhole ? 8 : 5);
            var power = Math.Pow(10, Math.Floor(Math.Log10(rough)));
            var step = new[] { 1.0, 2, 5, 10 }.First(factor => factor * power >= rough * 0.999) * power;
            if (isWhole) return new Scale(low, high, Math.Max(1, step), from, to);
            return new Scale(Math.Floor(low / step) * step, Math.Ceiling(high / step) * step, step, from, to);
        }
    }
}
