using NanoGpt.Hub;

namespace NanoGpt.Tests.Hub;

public sealed class HubProgressTests
{
    [Fact]
    public void Reports_say_bytes_speed_and_what_remains()
    {
        var (time, reports) = (new RecordingTime(), new List<HubProgress>());
        var meter = new HubProgressMeter(new Reports(reports), total: 1000, time);
        meter.Skip("a", 400); // there already: no speed
        time.Advance(TimeSpan.FromSeconds(1));
        meter.Move("a", 100);
        Assert.Equal(new HubProgress("a", 500, 1000, 100, TimeSpan.FromSeconds(5)), Assert.Single(reports));
    }

    [Fact]
    public void Reports_come_ten_times_a_second_at_most_and_always_at_the_end()
    {
        var (time, reports) = (new RecordingTime(), new List<HubProgress>());
        var meter = new HubProgressMeter(new Reports(reports), total: null, time);
        for (var i = 0; i < 1000; i++)
        {
            meter.Move("a", 1);
            time.Advance(TimeSpan.FromMilliseconds(1));
        }

        meter.Finish("a");
        Assert.InRange(reports.Count, 9, 11);
        Assert.Equal(1000, reports[^1].BytesDone);
        Assert.Null(reports[^1].Remaining);
    }

    private sealed class Reports(List<HubProgress> list) : IProgress<HubProgress>
    {
        public void Report(HubProgress value) => list.Add(value);
    }
}
