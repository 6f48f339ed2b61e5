// A curve that grows while a run goes on, and stays small however long it goes.

namespace NanoGpt.Samples.Plots;

/// <summary>Keeps the mean of every 1, 2, 4, ... points, so that at most <paramref name="capacity"/> remain.</summary>
/// <param name="capacity">Even.</param>
internal sealed class RunningCurve(int capacity)
{
    private readonly List<(double X, double Y)> points = [];
    private (double X, double Y, int Count) pending;
    private int stride = 1;

    public IReadOnlyList<(double X, double Y)> Points => points;

    public void Add(double x, double y)
    {
        if (!double.IsFinite(y)) return;
        pending = (pending.X + x, pending.Y + y, pending.Count + 1);
        if (pending.Count < stride) return;
        points.Add((pending.X / stride, pending.Y / stride));
        pending = default;
        if (points.Count < capacity) return;

        for (var i = 0; i < capacity / 2; i++)
        {
            var (a, b) = (points[2 * i], points[2 * i + 1]);
            points[i] = ((a.X + b.X) / 2, (a.Y + b.Y) / 2);
        }

        points.RemoveRange(capacity / 2, points.Count - capacity / 2);
        stride *= 2;
    }
}
