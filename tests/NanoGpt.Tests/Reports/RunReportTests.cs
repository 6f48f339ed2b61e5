using System.Diagnostics;
using System.Globalization;
using System.Xml;
using System.Xml.Linq;
using NanoGpt.Reports;

namespace NanoGpt.Tests.Reports;

public sealed class RunReportTests : IDisposable
{
    private const string Chromium = "/usr/bin/chromium";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Curves_pass_through_the_numbers_of_the_run()
    {
        var run = WriteRun("run", steps: 60, evaluateEach: 20);

        var page = Draw(run);

        var val = CurveOf(page, "Loss", "val loss");
        Assert.Equal([0, 20, 40], val.Select(p => Math.Round(p.X)));
        foreach (var (point, iteration) in val.Zip([0, 20, 40])) Assert.Equal(ValLoss(iteration), point.Y, 0.01); // half a pixel of 258
        var loss = CurveOf(page, "Loss", "batch loss");
        Assert.Equal(60, loss.Count);
        for (var i = 0; i < 60; i++) Assert.Equal(Loss(i), loss[i].Y, 0.01);
        Assert.Equal(60, CurveOf(page, "Learning rate", "").Count);
        Assert.Equal(60, CurveOf(page, "Gradient length before clipping", "").Count);
        Assert.Equal(60, CurveOf(page, "Tokens per second", "").Count);
    }

    [Fact]
    public void Steps_without_a_line_of_their_own_are_counted()
    {
        var run = WriteRun("run", steps: 1, evaluateEach: 20);
        File.AppendAllLines(_folder.File("run", "metrics.jsonl"), ["""{"iter":20,"loss":2}""", """{"iter":28,"train_loss":1,"val_loss":1}"""]);

        var cells = Draw(run).Descendants("table").First().Descendants("td").Select(cell => cell.Value).ToList();

        Assert.Equal(["run", "28", "2.0000"], cells[..3]);
    }

    [Fact]
    public void Page_asks_nothing_of_the_network()
    {
        var text = DrawText(WriteRun("run", steps: 5, evaluateEach: 2));

        Assert.DoesNotContain("http://", text);
        Assert.DoesNotContain("https://", text);
        Assert.DoesNotContain("src=", text);
        Assert.DoesNotContain("@import", text);
        Assert.DoesNotContain("url(", text);
    }

    [Fact]
    public void Samples_options_and_resumes_are_shown_and_cannot_break_the_page()
    {
        var run = WriteRun("run", steps: 30, evaluateEach: 10);
        File.AppendAllLines(_folder.File("run", "metrics.jsonl"),
        [
            """{"iter":10,"sample":"</pre><script>alert(1)</script> & \u0000\uFFFF tail"}""",
            """{"start":30,"run":{"learning_rate":"0.001","machine":"<b>"}}""",
            """{"iter":31,"lo""",
        ]);

        var page = Draw(run);

        var sample = page.Descendants("pre").Single().Value;
        Assert.Contains("</pre><script>alert(1)</script> &", sample);
        Assert.Contains("tail", sample);
        Assert.Single(page.Descendants("script"));
        Assert.Contains(page.Descendants("tr"), row => row.Value == "machine<b>");
        Assert.Contains(page.Descendants("line"), line => line.Value == "resumed at 30");
    }

    [Fact]
    public void A_nanoGPT_log_is_a_run_too()
    {
        var log = _folder.File("log.txt");
        File.WriteAllText(log, """
            tokens per iteration will be: 768
            number of parameters: 0.80M
            step 0: train loss 4.1700, val loss 4.1688
            iter 0: loss 4.1650, time 2900.12ms, mfu -100.00%
            iter 10: loss 3.2049, time 20.39ms, mfu 3.10%
            iter 20: loss nan, time 20.39ms, mfu 3.10%
            step 20: train loss 2.5000, val loss 2.6000
            saving checkpoint to out
            """);

        var page = Draw(log);

        Assert.Equal([4.165, 3.2049], CurveOf(page, "Loss", "batch loss").Select(p => Math.Round(p.Y, 2, MidpointRounding.ToEven)), (a, b) => Math.Abs(a - b) < 0.02);
        Assert.Equal(2, CurveOf(page, "Loss", "val loss").Count);
        Assert.Equal(3, CurveOf(page, "Milliseconds per iteration", "").Count);
    }

    [Fact]
    public void Runs_lie_over_each_other_on_common_axes_and_what_differs_comes_first()
    {
        var page = Draw(WriteRun("a", steps: 40, evaluateEach: 10, lr: 0.1), WriteRun("b", steps: 20, evaluateEach: 10, lr: 0.2));

        Assert.Equal(40, CurveOf(page, "Loss", "a batch loss").Count);
        Assert.Equal(20, CurveOf(page, "Loss", "b batch loss").Count);
        Assert.Equal(19, CurveOf(page, "Loss", "b batch loss")[^1].X, 0.1);
        Assert.Equal("learning_rate0.10.2", page.Descendants("tr").First(row => (string?)row.Attribute("class") == "changed").Value);
    }

    [Fact]
    public void Runs_of_the_same_name_are_told_apart()
    {
        var (a, b) = (WriteRun("a/run", steps: 3, evaluateEach: 1), WriteRun("b/run", steps: 3, evaluateEach: 1));

        Assert.Equal([a, b], RunReport.ReadLosses(a, b).Select(run => run.Name));
        Assert.Equal("run", Assert.Single(RunReport.ReadLosses(a)).Name);
        Assert.Equal([(0, Loss(0)), (1, Loss(1)), (2, Loss(2))], RunReport.ReadLosses(a)[0].Batches);
        Assert.Equal([(0, ValLoss(0)), (1, ValLoss(1)), (2, ValLoss(2))], RunReport.ReadLosses(a)[0].Validation);
    }

    [Fact]
    public void Picture_of_the_losses_stands_alone()
    {
        RunReport.Write(_folder.File("loss.svg"), WriteRun("a <b> & c", steps: 300, evaluateEach: 50));

        var svg = XDocument.Load(_folder.File("loss.svg")).Root!;
        XNamespace space = "http://www.w3.org/2000/svg";
        var curves = svg.Descendants(space + "polyline").Select(line => line.Attribute("points")!.Value.Split(' ')).ToList();
        Assert.Equal([300, 300, 6, 6], curves.Select(points => points.Length));
        foreach (var at in curves.SelectMany(points => points).Select(point => point.Split(',').Select(n => double.Parse(n, CultureInfo.InvariantCulture)).ToArray()))
        {
            Assert.InRange(at[0], SvgChart.Left, 1100 - SvgChart.Right);
            Assert.InRange(at[1], SvgChart.Top, 380 - SvgChart.Bottom);
        }

        Assert.Equal("Loss of a <b> & c", svg.Element(space + "title")!.Value);
        Assert.Contains(svg.Elements(space + "text"), text => text.Value == "val loss");
        Assert.DoesNotContain("href", svg.ToString());
    }

    [Fact]
    public void Long_runs_are_thinned_without_losing_a_spike()
    {
        var points = Enumerable.Range(0, 100_000).Select(i => new Point(i, i == 54_321 ? 100 : 1 + i % 7)).ToList();

        var thinned = SvgChart.Thin(points);

        Assert.InRange(thinned.Count, 100, 1500);
        Assert.Contains(new Point(54_321, 100), thinned);
        Assert.Equal(thinned.OrderBy(p => p.X), thinned);
    }

    [Theory]
    [InlineData("empty.txt", "")]
    [InlineData("other.txt", "hello\n{\"a\":1}\n{not json}\n")]
    public void What_is_no_run_is_refused(string name, string text)
    {
        File.WriteAllText(_folder.File(name), text);

        Assert.Contains(name, Assert.Throws<ModelFormatException>(() => RunReport.Write(_folder.File("r.html"), _folder.File(name))).Message);
        Assert.False(File.Exists(_folder.File("r.html")));
    }

    [Fact]
    public void Missing_run_is_refused() =>
        Assert.Contains("no run to draw", Assert.Throws<ModelFormatException>(() => RunReport.Write(_folder.File("r.html"), _folder.File("nowhere"))).Message);

    [Fact]
    public async Task Browser_draws_the_curves()
    {
        if (!File.Exists(Chromium)) Assert.Skip($"{Chromium} is not installed");
        RunReport.Write(_folder.File("report.html"), WriteRun("run", steps: 300, evaluateEach: 50));

        // The browser's own view of the page: what its parser made of it and where its layout put the curves.
        var probe = File.ReadAllText(_folder.File("report.html")).Replace("</body>",
            "<script>document.title = [...document.querySelectorAll('polyline')].map(p => { const b = p.getBoundingClientRect(); "
            + "return p.points.length + ':' + (b.width > 50 &amp;&amp; b.height > 5); }).join(' ')</script></body>".Replace("&amp;", "&"), StringComparison.Ordinal);
        File.WriteAllText(_folder.File("probe.html"), probe);
        var start = new ProcessStartInfo(Chromium,
            ["--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir=" + _folder.File("profile"), "--dump-dom", "file://" + _folder.File("probe.html")])
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        };
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var dom = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        await errors;

        Assert.Contains("<title>300:true 300:true 6:true 6:true 300:true 300:true 300:true</title>", dom);
    }

    private static double Loss(int i) => 4 * Math.Exp(-i / 30.0) + 1;

    private static double ValLoss(int i) => 4.2 * Math.Exp(-i / 30.0) + 1.1;

    private string WriteRun(string name, int steps, int evaluateEach, double lr = 0.1)
    {
        Directory.CreateDirectory(_folder.File(name));
        var lines = new List<string> { FormattableString.Invariant($$"""{"start":0,"run":{"n_layer":4,"learning_rate":{{lr}} } }""") };
        for (var i = 0; i < steps; i++)
        {
            if (i % evaluateEach == 0) lines.Add(FormattableString.Invariant($$"""{"iter":{{i}},"train_loss":{{Loss(i)}},"val_loss":{{ValLoss(i)}}}"""));
            lines.Add(FormattableString.Invariant(
                $$"""{"iter":{{i}},"loss":{{Loss(i)}},"lr":{{lr / (i + 1)}},"grad_norm":{{1.0 / (i + 1)}},"ms":5,"tokens_per_s":{{1000 + i}},"mfu":null,"tokens":{{i * 100}}}"""));
        }

        File.WriteAllLines(_folder.File(name, "metrics.jsonl"), lines);
        return _folder.File(name);
    }

    private XElement Draw(params string[] runs)
    {
        using var reader = XmlReader.Create(new StringReader(DrawText(runs)), new XmlReaderSettings { DtdProcessing = DtdProcessing.Ignore });
        return XDocument.Load(reader).Root!;
    }

    private string DrawText(params string[] runs)
    {
        RunReport.Write(_folder.File("report.html"), runs);
        return File.ReadAllText(_folder.File("report.html"));
    }

    /// <summary>A curve's points, from pixels back to numbers.</summary>
    private static List<Point> CurveOf(XElement page, string chart, string curve)
    {
        var svg = page.Descendants("figure").Single(figure => figure.Element("figcaption")!.Value == chart).Element("svg")!;
        var size = svg.Attribute("viewBox")!.Value.Split(' ').Select(n => double.Parse(n, CultureInfo.InvariantCulture)).ToArray();
        double Bound(string name) => double.Parse(svg.Attribute(name)!.Value, CultureInfo.InvariantCulture);
        var line = svg.Elements("polyline").Single(p => p.Attribute("data-name")!.Value == curve && !p.Attribute("class")!.Value.Contains("faint"));
        return [.. line.Attribute("points")!.Value.Split(' ').Select(pair => pair.Split(',').Select(n => double.Parse(n, CultureInfo.InvariantCulture)).ToArray())
            .Select(p => new Point(
                Bound("data-x0") + (p[0] - SvgChart.Left) / (size[2] - SvgChart.Right - SvgChart.Left) * (Bound("data-x1") - Bound("data-x0")),
                Bound("data-y0") + (size[3] - SvgChart.Bottom - p[1]) / (size[3] - SvgChart.Bottom - SvgChart.Top) * (Bound("data-y1") - Bound("data-y0"))))];
    }
}
