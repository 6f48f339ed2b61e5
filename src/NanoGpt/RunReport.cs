// A run, or several over each other, as one page that needs no server and no network: curves, samples, config, machine. The
// trainer redraws it after each evaluation; it can also be made of runs that are over, and of nanoGPT's logs. The chart of
// the losses can be had as a picture, its numbers as numbers.

using NanoGpt.IO;
using NanoGpt.Reports;

namespace NanoGpt;

/// <summary>The losses of a run, for pictures of one's own. Immutable.</summary>
/// <param name="Name">The run's folder, or the name of a log.</param>
/// <param name="Batches">The loss of each logged step.</param>
/// <param name="Validation">The validation loss of each evaluation.</param>
public sealed record RunLosses(
    string Name, IReadOnlyList<(int Iteration, double Loss)> Batches, IReadOnlyList<(int Iteration, double Loss)> Validation);

/// <summary>Draws training runs as one self-contained HTML page.</summary>
/// <remarks>Stateless, so safe from several threads.</remarks>
public static class RunReport
{
    /// <summary>Draws runs over each other and writes the page.</summary>
    /// <param name="path">The page to write or replace, for example <c>report.html</c>; ends it in <c>.svg</c>, the chart of the losses alone.</param>
    /// <param name="runs">Folders of runs, or logs with nanoGPT's lines; at least one.</param>
    /// <exception cref="ModelFormatException">One of them is no run.</exception>
    /// <exception cref="CheckpointException">The page could not be written.</exception>
    public static void Write(string path, params string[] runs)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        ArgumentNullException.ThrowIfNull(runs);
        Write(path, runs, isRunning: false);
    }

    /// <summary>Reads the losses of runs.</summary>
    /// <param name="runs">As for <see cref="Write(string, string[])"/>.</param>
    /// <exception cref="ModelFormatException">One of them is no run.</exception>
    public static IReadOnlyList<RunLosses> ReadLosses(params string[] runs)
    {
        ArgumentNullException.ThrowIfNull(runs);
        return [.. Read(runs).Select(run => new RunLosses(run.Name, Plain(run.Loss), Plain(run.ValLoss)))];

        static List<(int Iteration, double Loss)> Plain(List<Point> points) => [.. points.Select(p => ((int)p.X, p.Y))];
    }

    /// <param name="path">The page.</param>
    /// <param name="runs">The runs.</param>
    /// <param name="isRunning">Whether the page shall load itself again every few seconds.</param>
    internal static void Write(string path, IReadOnlyList<string> runs, bool isRunning)
    {
        if (runs.Count == 0) throw new ArgumentException("No run to draw.", nameof(runs));
        var records = Read(runs);
        var page = Path.GetExtension(path).Equals(".svg", StringComparison.OrdinalIgnoreCase)
            ? ReportPage.LossChart(records, "Loss of " + string.Join(", ", records.Select(run => run.Name))).RenderFile()
            : ReportPage.Render(records, isRunning);
        try
        {
            AtomicFile.WriteAllText(path, page);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CheckpointException($"{path}: the report could not be written: {e.Message}", e);
        }
    }

    // Runs of the same name are told apart by their paths.
    private static List<RunRecord> Read(IReadOnlyList<string> paths)
    {
        var records = paths.Select(RunRecord.Read).ToList();
        var shared = records.GroupBy(run => run.Name).Where(group => group.Count() > 1).Select(group => group.Key).ToHashSet();
        for (var i = 0; i < records.Count; i++)
        {
            if (shared.Contains(records[i].Name)) records[i].Name = paths[i];
        }

        return records;
    }
}
