// The page around the charts: figures at the top, curves, samples, options and machine. Everything is in the one file, and
// well-formed as XML too; the only script shows the numbers under the pointer.

using System.Globalization;
using System.Net;
using System.Text;

namespace NanoGpt.Reports;

/// <summary>Renders runs as one HTML page.</summary>
internal static class ReportPage
{
    // Okabe and Ito's palette: told apart by most colour-blind readers, on white and on black.
    private static readonly string[] Colours = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];

    private const string Style = """
        :root { color-scheme: light dark; }
        body { font: 15px/1.45 system-ui, sans-serif; max-width: 1120px; margin: 2rem auto; padding: 0 1rem; }
        h1 { font-size: 1.35rem; margin: 0 0 .8rem; } h2 { font-size: 1.05rem; margin: 2rem 0 .6rem; }
        .summary { margin-bottom: 1.4rem; } .charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 1rem; }
        figure { margin: 0; } figure:not(.wide) { max-width: 600px; } figure.wide { grid-column: 1 / -1; } figcaption { font-weight: 600; }
        svg { width: 100%; height: auto; display: block; }
        .legend { margin: .2rem 0 0; font-size: .85rem; color: var(--soft); } .legend span { margin-right: 1rem; white-space: nowrap; }
        .key { display: inline-block; width: 1.4em; border-top: 3px solid; vertical-align: middle; margin-right: .4em; } .key.dashed { border-top-style: dashed; }
        table { border-collapse: collapse; font-size: .9rem; } td, th { padding: .15rem .8rem .15rem 0; text-align: left; border-bottom: 1px solid var(--line); font-weight: 400; }
        td { font-variant-numeric: tabular-nums; } th { color: var(--soft); } .changed td { font-weight: 600; }
        pre { white-space: pre-wrap; overflow-wrap: anywhere; background: #8881; padding: .7rem; border-radius: 6px; font-size: .85rem; }
        summary { cursor: pointer; } .readout { font-size: .8rem; color: var(--soft); min-height: 1.2em; font-variant-numeric: tabular-nums; }
        """;

    // Inverts each chart's scales, so that the page holds every number once: in its curves.
    private const string Script = """
        for (const svg of document.querySelectorAll('figure svg')) {
          const d = svg.dataset, size = svg.viewBox.baseVal, box = [64, size.width - 24, size.height - 30, 12];
          const out = svg.parentNode.appendChild(document.createElement('div'));
          out.className = 'readout';
          const curves = [...svg.querySelectorAll('polyline')].map(p => ({ name: p.dataset.name, points: [...p.points] })).filter(c => c.name);
          svg.addEventListener('pointermove', e => {
            const at = (e.clientX - svg.getBoundingClientRect().left) * size.width / svg.getBoundingClientRect().width;
            const value = (v, a, b, low, high) => +low + (v - a) / (b - a) * (high - low);
            out.textContent = 'iteration ' + Math.round(value(at, box[0], box[1], d.x0, d.x1)) + curves.map(c => {
              const p = c.points.reduce((m, q) => Math.abs(q.x - at) < Math.abs(m.x - at) ? q : m);
              return '   ' + c.name + ' ' + Number(value(p.y, box[2], box[3], d.y0, d.y1).toPrecision(4));
            }).join('');
          });
          svg.addEventListener('pointerleave', () => out.textContent = '');
        }
        """;

    public static string Render(IReadOnlyList<RunRecord> runs, bool isRunning)
    {
        var title = string.Join(", ", runs.Select(run => run.Name));
        var page = new StringBuilder("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>");
        page.Append("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>");
        if (isRunning) page.Append("<meta http-equiv=\"refresh\" content=\"20\"/>");
        page.Append(CultureInfo.InvariantCulture, $"<title>{Text(title)}</title>\n<style>{SvgChart.Style}\n{Style}</style></head><body>\n");
        page.Append(CultureInfo.InvariantCulture, $"<h1>{Text(title)}{(isRunning ? " (training)" : "")}</h1>\n");
        Summary(page, runs);

        page.Append("<section class=\"charts\">\n");
        page.Append(LossChart(runs, "Loss").Render());
        page.Append(Chart("Learning rate", runs, run => run.LearningRate).Render());
        page.Append(Chart("Gradient length before clipping", runs, run => run.GradNorm).Render());
        page.Append(Chart("Tokens per second", runs, run => run.TokensPerSecond).Render());
        if (runs.All(run => run.TokensPerSecond.Count == 0)) page.Append(Chart("Milliseconds per iteration", runs, run => run.Milliseconds).Render());
        page.Append("</section>\n");

        Samples(page, runs);
        Options(page, runs);
        return page.Append(CultureInfo.InvariantCulture, $"<script>//<![CDATA[\n{Script}\n//]]></script>\n</body></html>\n").ToString();
    }

    /// <summary>The losses of all runs over each other.</summary>
    public static SvgChart LossChart(IReadOnlyList<RunRecord> runs, string title)
    {
        var curves = new List<Curve>();
        for (var i = 0; i < runs.Count; i++)
        {
            var run = runs[i];
            var train = Colours[i % Colours.Length];
            var val = runs.Count == 1 ? Colours[1] : train;
            var prefix = runs.Count == 1 ? "" : run.Name + " ";
            var smooth = Smooth(run.Loss);
            if (smooth.Count > 0) curves.Add(new Curve("", train, run.Loss, Faint: true));
            curves.Add(new Curve(prefix + "batch loss" + (smooth.Count > 0 ? ", smoothed" : ""), train, smooth.Count > 0 ? smooth : run.Loss));
            if (runs.Count == 1) curves.Add(new Curve("train loss", Colours[5], run.TrainLoss, Dots: true, Dashed: true));
            curves.Add(new Curve(prefix + "val loss", val, run.ValLoss, Dots: true, Dashed: runs.Count > 1));
        }

        return new SvgChart(title, curves, runs.Count == 1 ? runs[0].Resumes : null, isWide: true);
    }

    private static SvgChart Chart(string title, IReadOnlyList<RunRecord> runs, Func<RunRecord, List<Point>> series) => new(
        title, [.. runs.Select((run, i) => new Curve(runs.Count == 1 ? "" : run.Name, Colours[i % Colours.Length], series(run)))]);

    /// <summary>A mean over a fortieth of the run around each step; nothing for a run of few steps.</summary>
    private static List<Point> Smooth(List<Point> points)
    {
        const int fewSteps = 100, share = 80; // on either side
        var finite = points.Where(p => double.IsFinite(p.Y)).ToList();
        if (finite.Count < fewSteps) return [];
        var sums = new double[finite.Count + 1];
        for (var i = 0; i < finite.Count; i++) sums[i + 1] = sums[i] + finite[i].Y;
        return [.. finite.Select((p, i) =>
        {
            var reach = Math.Min(finite.Count / share, Math.Min(i, finite.Count - 1 - i)); // even to both sides: no lag
            return new Point(p.X, (sums[i + reach + 1] - sums[i - reach]) / (2 * reach + 1));
        })];
    }

    private static void Summary(StringBuilder page, IReadOnlyList<RunRecord> runs)
    {
        page.Append("<table class=\"summary\"><tr><th>run</th><th>steps</th><th>last loss</th><th>best val loss</th><th>at</th><th>tokens</th><th>tokens/s</th></tr>\n");
        foreach (var run in runs)
        {
            var best = run.ValLoss.Where(p => double.IsFinite(p.Y)).DefaultIfEmpty(new Point(-1, double.NaN)).MinBy(p => p.Y);
            page.Append(CultureInfo.InvariantCulture, $"<tr><td>{Text(run.Name)}</td><td>{run.Steps:N0}</td>");
            page.Append(CultureInfo.InvariantCulture, $"<td>{(run.Loss.Count == 0 ? double.NaN : run.Loss[^1].Y):F4}</td><td>{best.Y:F4}</td><td>{best.X:N0}</td>");
            page.Append(CultureInfo.InvariantCulture, $"<td>{run.LastTokens:N0}</td><td>{(run.TokensPerSecond.Count == 0 ? double.NaN : Median(run.TokensPerSecond)):N0}</td></tr>\n");
        }

        page.Append("</table>\n");
    }

    private static void Samples(StringBuilder page, IReadOnlyList<RunRecord> runs)
    {
        if (runs.All(run => run.Samples.Count == 0)) return;
        page.Append("<h2>Samples, the latest first</h2>\n");
        foreach (var run in runs)
        {
            var open = " open=\"open\"";
            foreach (var (iteration, text) in Enumerable.Reverse(run.Samples))
            {
                var name = runs.Count == 1 ? "" : Text(run.Name) + ", ";
                page.Append(CultureInfo.InvariantCulture, $"<details{open}><summary>{name}iteration {iteration:N0}</summary><pre>{Text(text)}</pre></details>\n");
                open = "";
            }
        }
    }

    // Where runs differ is what one wants to know first.
    private static void Options(StringBuilder page, IReadOnlyList<RunRecord> runs)
    {
        var names = runs.SelectMany(run => run.About.Keys).Distinct().ToList();
        if (names.Count == 0) return;
        page.Append("<h2>Options, model, machine</h2>\n<table>");
        if (runs.Count > 1) page.Append(CultureInfo.InvariantCulture, $"<tr><th></th>{string.Concat(runs.Select(run => $"<th>{Text(run.Name)}</th>"))}</tr>\n");
        foreach (var (name, values) in names.Select(name => (name, runs.Select(run => run.About.GetValueOrDefault(name, "")).ToList()))
            .OrderBy(row => row.Item2.Distinct().Count() == 1))
        {
            var changed = values.Distinct().Count() > 1 ? " class=\"changed\"" : "";
            page.Append(CultureInfo.InvariantCulture, $"<tr{changed}><th>{Text(name)}</th>{string.Concat(values.Select(value => $"<td>{Text(value)}</td>"))}</tr>\n");
        }

        page.Append("</table>\n");
    }

    private static double Median(List<Point> points)
    {
        var values = points.Select(p => p.Y).Order().ToList();
        return values[values.Count / 2];
    }

    // Characters that XML cannot hold, which a model may well draw, become spaces.
    private static string Text(string text) => WebUtility.HtmlEncode(
        string.Concat(text.Select(c => c is '\t' or '\n' or '\r' or (>= ' ' and not ('\uFFFE' or '\uFFFF')) ? c : ' ')));
}
