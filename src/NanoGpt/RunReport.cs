// A run, or several over each other, as one page that needs no server and no network: curves, samples, config, machine. The
// trainer redraws it after each evaluation; it can also be made of runs that are over, and of nanoGPT's logs.

using NanoGpt.IO;
using NanoGpt.Reports;

namespace NanoGpt;

/// <summary>Draws training runs as one self-contained HTML page.</summary>
/// <remarks>Stateless, so safe from several threads.</remarks>
public static class RunReport
{
    /// <summary>Draws runs over each other and writes the page.</summary>
    /// <param name="path">The page to write or replace, for example <c>report.html</c>.</param>
    /// <param name="runs">Folders of runs, or logs with nanoGPT's lines; at least one.</param>
    /// <exception cref="ModelFormatException">One of them is no run.</exception>
    /// <exception cref="CheckpointException">The page could not be written.</exception>
    public static void Write(string path, params string[] runs)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        ArgumentNullException.ThrowIfNull(runs);
        Write(path, runs, isRunning: false);
    }

    /// <param name="path">The page.</param>
    /// <param name="runs">The runs.</param>
    /// <param name="isRunning">Whether the page shall load itself again every few seconds.</param>
    internal static void Write(string path, IReadOnlyList<string> runs, bool isRunning)
    {
        if (runs.Count == 0) throw new ArgumentException("No run to draw.", nameof(runs));
        var page = ReportPage.Render([.. runs.Select(RunRecord.Read)], isRunning);
        try
        {
            AtomicFile.WriteAllText(path, page);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CheckpointException($"{path}: the report could not be written: {e.Message}", e);
        }
    }
}
