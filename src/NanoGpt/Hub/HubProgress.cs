// How far a transfer has come: the report a caller gets, and the meter that makes it. Draws nothing.

namespace NanoGpt.Hub;

/// <summary>How far a download or upload has come, all its files together.</summary>
/// <param name="File">The file that last moved.</param>
/// <param name="BytesDone">Bytes that are there, those from an earlier run included.</param>
/// <param name="BytesTotal">Bytes in all; null where the Hub didn't say.</param>
/// <param name="BytesPerSecond">The recent speed; 0 at first.</param>
/// <param name="Remaining">Time left at that speed; null where it can't be told.</param>
public sealed record HubProgress(string File, long BytesDone, long? BytesTotal, double BytesPerSecond, TimeSpan? Remaining);

/// <summary>Adds up what parallel transfers move and reports ten times a second at most.</summary>
/// <remarks>Thread safe; reports come one after the other.</remarks>
internal sealed class HubProgressMeter(IProgress<HubProgress>? progress, long? total, TimeProvider time)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    private readonly object _gate = new();
    private long _done;
    private long _moved, _movedBefore;
    private long _reportedAt = time.GetTimestamp();
    private double _rate;

    /// <summary>Counts bytes that need not be moved because they are there already; negative where they proved useless.</summary>
    public void Skip(string file, long bytes)
    {
        lock (_gate)
        {
            _done += bytes;
            Report(file, final: false);
        }
    }

    /// <summary>Counts bytes that have just been moved.</summary>
    public void Move(string file, long bytes)
    {
        lock (_gate)
        {
            _done += bytes;
            _moved += bytes;
            Report(file, final: false);
        }
    }

    /// <summary>Reports the end, however recent the last report.</summary>
    public void Finish(string file)
    {
        lock (_gate) Report(file, final: true);
    }

    private void Report(string file, bool final)
    {
        if (progress is null) return;
        var elapsed = time.GetElapsedTime(_reportedAt);
        if (elapsed < Interval && !final) return;

        if (elapsed > TimeSpan.Zero && _moved > _movedBefore)
        {
            var rate = (_moved - _movedBefore) / elapsed.TotalSeconds;
            _rate = _rate == 0 ? rate : 0.8 * _rate + 0.2 * rate;
        }

        (_movedBefore, _reportedAt) = (_moved, time.GetTimestamp());
        var left = total - _done;
        TimeSpan? remaining = left is { } bytes && _rate > 0 ? TimeSpan.FromSeconds(Math.Min(Math.Max(bytes, 0) / _rate, 1e8)) : null;
        progress.Report(new HubProgress(file, _done, total, _rate, remaining));
    }
}
