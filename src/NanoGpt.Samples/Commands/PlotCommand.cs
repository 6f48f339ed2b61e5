// Draws training runs, ours or nanoGPT's logs: in the terminal, and as a page with everything that is known of them.

using NanoGpt.Samples.CommandLine;

namespace NanoGpt.Samples.Commands;

internal sealed record PlotOptions
{
    /// <summary>Folders of runs, or logs with nanoGPT's lines; several are drawn over each other.</summary>
    [Positional]
    public IReadOnlyList<string> Runs { get; init; } = [];

    /// <summary>The page to write; it needs no server and no network.</summary>
    public string Report { get; init; } = "report.html";
}

internal sealed class PlotCommand : Command<PlotOptions>
{
    public override string Name => "plot";

    public override string Summary => "curves of one run or several, here and as a page";

    public override IReadOnlyList<string> Examples => ["plot out", "plot out-a out-b --report=both.html", "plot log.txt"];

    protected override Task RunAsync(PlotOptions options, Session session)
    {
        if (options.Runs.Count == 0) throw new UsageException("which run? nanogpt plot out");
        RunReport.Write(options.Report, [.. options.Runs]);
        session.Output.Line($"page: {Path.GetFullPath(options.Report)}");
        return Task.CompletedTask;
    }
}
