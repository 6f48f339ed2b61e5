// Draws training runs, ours or nanoGPT's logs: in the terminal, and as a page with everything that is known of them.

using NanoGpt.Samples.CommandLine;
using NanoGpt.Samples.Plots;

namespace NanoGpt.Samples.Commands;

internal sealed record PlotOptions
{
    /// <summary>Folders of runs, or logs with nanoGPT's lines; several are drawn over each other.</summary>
    [Positional]
    public IReadOnlyList<string> Runs { get; init; } = [];

    /// <summary>The page to write, which needs no server and no network; or a picture of the losses, if it ends in .svg.</summary>
    public string Report { get; init; } = "report.html";
}

internal sealed class PlotCommand : Command<PlotOptions>
{
    public override string Name => "plot";

    public override string Summary => "curves of one run or several, here and as a page";

    public override IReadOnlyList<string> Examples => ["plot out", "plot out-a out-b --report=both.html", "plot log.txt --report=loss.svg"];

    protected override Task RunAsync(PlotOptions options, Session session)
    {
        if (options.Runs.Count == 0) throw Missing("which run?");
        var runs = options.Runs.ToArray();
        RunReport.Write(options.Report, runs);
        var screen = session.Output;
        TerminalPlot.Write(screen, [.. RunReport.ReadLosses(runs).SelectMany(run => Curves(run, runs.Length == 1 ? "" : run.Name + " "))], Math.Min(screen.Width, 120), height: 16);
        screen.Line($"page: {Path.GetFullPath(options.Report)}");
        return Task.CompletedTask;
    }

    // Losses of single batches jump: a mean for each dot is what can be seen of them.
    private static IEnumerable<Curve> Curves(RunLosses run, string prefix)
    {
        var batches = new RunningCurve(capacity: 200);
        foreach (var (iteration, loss) in run.Batches) batches.Add(iteration, loss);
        if (batches.Points.Count > 0) yield return new Curve(prefix + "batch loss", batches.Points);
        if (run.Validation.Count > 0) yield return new Curve(prefix + "val loss", [.. run.Validation.Select(point => ((double)point.Iteration, point.Loss))]);
    }
}
