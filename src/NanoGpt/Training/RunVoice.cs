// Whom a run tells what happens: the caller's IProgress, the logger, the log file. One place, so that all say the same.

using Microsoft.Extensions.Logging;

namespace NanoGpt.Training;

/// <summary>Tells everyone who listens.</summary>
internal sealed class RunVoice(IProgress<TrainingProgress>? progress, ILogger log)
{
    private readonly List<string> _early = [];
    private RunFiles? _files;

    /// <summary>From now on lines go to the log file too, those said before first.</summary>
    public void WriteTo(RunFiles files)
    {
        _early.ForEach(files.Log);
        _early.Clear();
        _files = files;
    }

    /// <summary>Tells of <paramref name="what"/>; its text, where it has one, goes to the log.</summary>
    public void Say(TrainingProgress what)
    {
        if (what.Text is { } line)
        {
            var level = what.Event == TrainingEvent.Warning ? LogLevel.Warning : LogLevel.Information;
            log.Log(level, TrainingTelemetry.Id(what.Event), "{Line}", line);
            if (_files is null) _early.Add(line);
            else _files.Log(line);
        }

        progress?.Report(what);
    }
}
