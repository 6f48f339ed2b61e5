// Progress of something countable: a bar that redraws itself in a terminal, now and then a plain line in a log.

namespace NanoGpt.Samples.Terminal;

/// <summary>Safe to report to from several threads. Disposing leaves the last state on the screen.</summary>
/// <param name="screen">Usually standard error, so that standard output stays clean.</param>
/// <param name="what">A word or two before the bar.</param>
/// <param name="show">How an amount is written: <see cref="Figures.Bytes"/> or <see cref="Figures.Count"/>.</param>
internal sealed class ProgressBar(Screen screen, string what, Func<double, string> show) : IDisposable
{
    private static readonly TimeSpan RedrawInterval = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LogInterval = TimeSpan.FromSeconds(10);

    private readonly Lock gate = new();
    private readonly long started = TimeProvider.System.GetTimestamp();
    private TimeSpan lastShown = TimeSpan.MinValue;
    private (long Done, long Total) state;

    /// <param name="done">How much is done.</param>
    /// <param name="total">How much there is; 0 where that is not known.</param>
    public void Report(long done, long total)
    {
        lock (gate)
        {
            state = (done, total);
            var elapsed = TimeProvider.System.GetElapsedTime(started);
            if (elapsed < lastShown + (screen.IsTerminal ? RedrawInterval : LogInterval)) return;
            if (screen.IsTerminal || lastShown > TimeSpan.MinValue) Show(elapsed);
            lastShown = elapsed;
        }
    }

    public void Dispose()
    {
        lock (gate)
        {
            if (lastShown == TimeSpan.MinValue) return;
            Show(TimeProvider.System.GetElapsedTime(started));
            if (screen.IsTerminal) screen.Line();
        }
    }

    /// <summary>The bar itself: <paramref name="fraction"/> of <paramref name="width"/> columns filled.</summary>
    public static string Bar(Screen screen, double fraction, int width)
    {
        var filled = (int)Math.Round(Math.Clamp(fraction, 0, 1) * width);
        return screen.Paint(Ink.Green, new string('━', filled)) + screen.Paint(Ink.Dim, new string('─', width - filled));
    }

    private void Show(TimeSpan elapsed)
    {
        var (done, total) = state;
        var rate = elapsed > TimeSpan.Zero ? done / elapsed.TotalSeconds : 0;
        var amount = total > 0 ? $"{show(done)} of {show(total)}" : show(done);
        var remaining = total > done && rate > 0 ? $", {Figures.Duration(TimeSpan.FromSeconds((total - done) / rate))} left" : "";
        var figures = $"{amount}, {show(rate)}/s{remaining}";
        if (!screen.IsTerminal)
            screen.Line($"{what}: {figures}");
        else if (total > 0)
            screen.Write($"\r{what} {Bar(screen, (double)done / total, Math.Clamp(screen.Width - what.Length - figures.Length - 3, 5, 40))} {figures}\e[K");
        else
            screen.Write($"\r{what} {figures}\e[K");
    }
}
