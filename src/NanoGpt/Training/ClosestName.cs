// "Did you mean": the known name nearest to a mistyped one.

namespace NanoGpt.Training;

/// <summary>Finds the known name that a mistyped one was probably meant to be.</summary>
internal static class ClosestName
{
    /// <summary>The nearest of <paramref name="known"/>, or null where none is near.</summary>
    public static string? Find(string name, IEnumerable<string> known)
    {
        var normal = Normalize(name);
        var nearest = known
            .Select(candidate => (candidate, distance: Distance(normal, Normalize(candidate))))
            .OrderBy(pair => pair.distance)
            .FirstOrDefault();
        return nearest.candidate is { } best && nearest.distance <= Math.Max(2, normal.Length / 3) ? best : null;
    }

    /// <summary>A sentence to put behind "there is no such option", beginning with a blank; empty where nothing is near.</summary>
    public static string Hint(string name, IEnumerable<string> known) =>
        Find(name, known) is { } closest ? $" Did you mean '{closest}'?" : "";

    private static string Normalize(string name) => name.Replace("-", "_", StringComparison.Ordinal).ToLowerInvariant();

    // Optimal string alignment: insertions, deletions, replacements and swapped neighbours count 1 each.
    private static int Distance(string a, string b)
    {
        var d = new int[a.Length + 1, b.Length + 1];
        for (var i = 0; i <= a.Length; i++) d[i, 0] = i;
        for (var j = 0; j <= b.Length; j++) d[0, j] = j;
        for (var i = 1; i <= a.Length; i++)
        {
            for (var j = 1; j <= b.Length; j++)
            {
                var cost = a[i - 1] == b[j - 1] ? 0 : 1;
                d[i, j] = Math.Min(Math.Min(d[i - 1, j] + 1, d[i, j - 1] + 1), d[i - 1, j - 1] + cost);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                    d[i, j] = Math.Min(d[i, j], d[i - 2, j - 2] + 1);
            }
        }

        return d[a.Length, b.Length];
    }
}
