namespace NanoGpt.Tests.Hub;

/// <summary>A clock that stands until it is moved; timers go off at once and are remembered.</summary>
internal sealed class RecordingTime : TimeProvider
{
    private long _now;

    public List<TimeSpan> Pauses { get; } = [];

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => _now;

    public void Advance(TimeSpan span) => _now += span.Ticks;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        Pauses.Add(dueTime);
        return System.CreateTimer(callback, state, TimeSpan.Zero, period);
    }
}
