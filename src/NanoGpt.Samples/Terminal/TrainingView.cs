// Training as a person watches it: in a terminal, evaluations scroll by and the iterations are a live view of three lines;
// redirected, nanoGPT's log lines and nothing else. What the lines say is the Trainer's.

using System.Globalization;
using NanoGpt.Samples.Plots;

namespace NanoGpt.Samples.Terminal;

internal sealed class TrainingView(Screen screen, Screen status, bool isLive) : IProgress<TrainingProgress>
{
    private const int LongestBar = 30;
    private static readonly TimeSpan RedrawInterval = TimeSpan.FromMilliseconds(100);

    private readonly Lock gate = new();
    private readonly LiveLines live = new(screen);
    private readonly long started = TimeProvider.System.GetTimestamp();
    private readonly RunningCurve losses = new(capacity: 2000);
    private readonly List<(double X, double Y)> validation = [];
    private EvaluationResult? best;
    private int? firstIteration;
    private TimeSpan lastDrawn = TimeSpan.MinValue;

    /// <summary>What was seen so far, for a plot: the loss of each iteration, and of each evaluation.</summary>
    public IReadOnlyList<Curve> Curves =>
        [.. new Curve[] { new("train", losses.Points), new("val", validation) }.Where(curve => curve.Points.Count > 0)];

    /// <summary>Says something that is not the Trainer's. From any thread.</summary>
    public void Say(string text)
    {
        lock (gate)
        {
            if (isLive) live.Scroll(screen.Paint(Ink.Yellow, text));
            else status.Line(text);
        }
    }

    public void Report(TrainingProgress value)
    {
        lock (gate) Take(value);
    }

    private void Take(TrainingProgress value)
    {
        firstIteration ??= value.Iteration;
        if (value.Event == TrainingEvent.Iteration) losses.Add(value.Iteration, value.Loss);
        if (value is { Event: TrainingEvent.Evaluation, Evaluation: { } evaluation })
        {
            validation.Add((evaluation.Iteration, evaluation.ValLoss));
            if (evaluation.IsBest) best = evaluation;
        }

        if (!isLive)
            WritePlain(value);
        else
            WriteLive(value);
    }

    private void WritePlain(TrainingProgress value)
    {
        if (value.Text is { } text) screen.Line(text);
    }

    private void WriteLive(TrainingProgress value)
    {
        if (value.Event != TrainingEvent.Iteration && value.Text is { } text) live.Scroll(screen.Paint(InkOf(value.Event), text));

        var elapsed = TimeProvider.System.GetElapsedTime(started);
        var isDue = value.Event != TrainingEvent.Iteration || elapsed >= lastDrawn + RedrawInterval;
        if (!isDue || double.IsNaN(value.Loss)) return;
        lastDrawn = elapsed;
        live.Draw(ProgressLine(value, elapsed), FiguresLine(value), [(Ink.Blue, TerminalPlot.Sparkline(losses.Points, screen.Width - 1))]);
    }

    private static Ink InkOf(TrainingEvent what) => what switch
    {
        TrainingEvent.Warning => Ink.Yellow,
        TrainingEvent.Sample => Ink.Cyan,
        TrainingEvent.Notice or TrainingEvent.Checkpoint => Ink.Dim,
        _ => Ink.Plain,
    };

    private List<(Ink, string)> ProgressLine(TrainingProgress value, TimeSpan elapsed)
    {
        var iteration = Math.Min(value.Iteration, value.MaxIters); // at the end it is the next one's number
        var done = iteration - firstIteration!.Value + 1;
        var remaining = elapsed / done * (value.MaxIters - iteration);
        var fraction = value.MaxIters > 0 ? (double)iteration / value.MaxIters : 1;
        var place = string.Create(CultureInfo.InvariantCulture, $" {fraction,4:0%}  iter {iteration} of {value.MaxIters}  ");
        var time = value.Event == TrainingEvent.Finished ? $"took {Figures.Duration(elapsed)}" : $"{Figures.Duration(remaining)} left";
        var width = Math.Clamp(screen.Width - 1 - place.Length - time.Length, 0, LongestBar);
        var filled = (int)Math.Round(fraction * width);
        return [(Ink.Green, new string('━', filled)), (Ink.Dim, new string('─', width - filled)), (Ink.Plain, place), (Ink.Dim, time)];
    }

    private List<(Ink, string)> FiguresLine(TrainingProgress value)
    {
        var line = new List<(Ink, string)> { (Ink.Dim, "loss "), (Ink.Bold, Format("0.0000", value.Loss)) };
        if (best is not null)
            line.AddRange([(Ink.Dim, "  best val "), (Ink.Bold, Format("0.0000", best.ValLoss)), (Ink.Dim, $" at {best.Iteration}")]);
        line.AddRange([(Ink.Dim, "  lr "), (Ink.Plain, Format("0.00e-0", value.LearningRate))]);
        line.AddRange([(Ink.Dim, "  tokens/s "), (Ink.Plain, Figures.Short(value.TokensPerSecond))]);
        if (value.Mfu >= 0) line.AddRange([(Ink.Dim, "  mfu "), (Ink.Plain, Format("0.0%", value.Mfu))]);
        return line;
    }

    private static string Format(string format, double value) => value.ToString(format, CultureInfo.InvariantCulture);
}
