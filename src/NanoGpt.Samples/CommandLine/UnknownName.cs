// The message for a name that does not exist, with the closest one that does.

namespace NanoGpt.Samples.CommandLine;

internal static class UnknownName
{
    public static string Message(string kind, string name, IEnumerable<string> known)
    {
        var closest = known.MinBy(candidate => Distance(name, candidate));
        return closest is not null && Distance(name, closest) <= Math.Max(2, name.Length / 3)
            ? $"unknown {kind} '{name}'; did you mean '{closest}'?"
            : $"unknown {kind} '{name}'; --help lists what there is.";
    }

    // Levenshtein: the fewest letters to insert, delete or replace.
    private static int Distance(string a, string b)
    {
        var row = Enumerable.Range(0, b.Length + 1).ToArray();
        for (var i = 1; i <= a.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(replaced, Math.Min(row[j], row[j - 1]) + 1);
            }
        }

        return row[b.Length];
    }
}
