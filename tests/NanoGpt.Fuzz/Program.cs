// dotnet run -c Release --project tests/NanoGpt.Fuzz -- safetensors|config|pt [--count=N] [--seed=N] [--only=N] [--seconds=N]
// Ends with 0 when every input was accepted or refused as it should, with 1 and the input in a file otherwise.

using System.Diagnostics;
using System.Globalization;
using NanoGpt.Fuzz;

string? Option(string name) => args.FirstOrDefault(arg => arg.StartsWith($"--{name}=", StringComparison.Ordinal))?[(name.Length + 3)..];
long Number(string name, long absent) => Option(name) is { } text ? long.Parse(text, CultureInfo.InvariantCulture) : absent;

if (args.Length == 0 || !FuzzTarget.All.TryGetValue(args[0], out var create))
{
    Console.Error.WriteLine($"Which kind? {string.Join(" | ", FuzzTarget.All.Keys)} [--count=N] [--seed=N] [--only=N] [--seconds=N]");
    return 2;
}

var target = create();
var seed = (int)Number("seed", 1);
var (first, count) = Option("only") is null ? (0L, Number("count", 100_000)) : (Number("only", 0), 1L);
var (accepted, largest, slowest, slowestNumber) = (0L, 0L, TimeSpan.Zero, 0L);
var clock = Stopwatch.StartNew();
var limit = TimeSpan.FromSeconds(Number("seconds", 1_000_000));
var done = 0L;
try
{
    for (; done < count && clock.Elapsed < limit; done++)
    {
        var outcome = target.Run(seed, first + done);
        if (outcome.Accepted) accepted++;
        largest = Math.Max(largest, outcome.Allocated);
        if (outcome.Elapsed > slowest) (slowest, slowestNumber) = (outcome.Elapsed, first + done);
    }
}
catch (FuzzFinding finding)
{
    var file = Path.Combine(Directory.GetCurrentDirectory(), $"finding-{args[0]}-{seed}-{first + done}.bin");
    File.WriteAllBytes(file, finding.Input);
    Console.Error.WriteLine($"{finding}\nThe input is in {file}.");
    return 1;
}

Console.WriteLine(FormattableString.Invariant(
    $"{args[0]}: {done:n0} inputs (seed {seed}), {accepted:n0} accepted, {done - accepted:n0} refused, 0 findings; {clock.Elapsed.TotalSeconds:f0} s; largest allocation {largest:n0} bytes; slowest {slowest.TotalMilliseconds:f1} ms (input {slowestNumber})"));
return 0;
