// What a run left behind, read back: metrics.jsonl of our own runs, or the log of a nanoGPT run, which is all that people
// have of older ones. Reads; draws nothing.

using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using NanoGpt.Training;

namespace NanoGpt.Reports;

/// <summary>The points of one curve, in the order of iterations.</summary>
internal readonly record struct Point(double X, double Y);

/// <summary>One run as its files tell it.</summary>
internal sealed partial class RunRecord
{
    private const int LongestSample = 4000;
    private const int MostSamples = 50;

    /// <summary>What the legend calls it.</summary>
    public required string Name { get; set; }

    public List<Point> Loss { get; } = [];

    public List<Point> TrainLoss { get; } = [];

    public List<Point> ValLoss { get; } = [];

    public List<Point> LearningRate { get; } = [];

    public List<Point> GradNorm { get; } = [];

    public List<Point> TokensPerSecond { get; } = [];

    public List<Point> Milliseconds { get; } = [];

    /// <summary>Iterations at which the run was started again.</summary>
    public List<int> Resumes { get; } = [];

    /// <summary>Texts drawn while training; the oldest go where there are too many.</summary>
    public List<(int Iteration, string Text)> Samples { get; } = [];

    /// <summary>Options, model and machine, as the last start wrote them.</summary>
    public Dictionary<string, string> About { get; } = [];

    /// <summary>Steps done: a step's line stands for itself, an evaluation's for those before it. Not each step has a line.</summary>
    public double Steps => Math.Max(Loss.Select(p => p.X + 1).DefaultIfEmpty(0).Max(), TrainLoss.Concat(ValLoss).Select(p => p.X).DefaultIfEmpty(0).Max());

    public double LastTokens { get; private set; }

    /// <summary>Reads a run's folder, its metrics.jsonl, or a nanoGPT log.</summary>
    /// <exception cref="ModelFormatException">There is nothing of the kind.</exception>
    public static RunRecord Read(string path)
    {
        var metrics = Directory.Exists(path) ? Path.Combine(path, RunFiles.MetricsFile) : path;
        if (Directory.Exists(path) && !File.Exists(metrics)) metrics = Path.Combine(path, RunFiles.LogFile);
        var record = new RunRecord { Name = NameOf(Path.GetFullPath(path)) };
        try
        {
            using var reader = new StreamReader(new FileStream(metrics, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete));
            while (reader.ReadLine() is { } line)
            {
                if (line.StartsWith('{')) record.AddMetric(line);
                else record.AddLogLine(line);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ModelFormatException(
                $"{path}: no run to draw: {e.Message} Give the folder of a run (with {RunFiles.MetricsFile}) or a log with nanoGPT's lines.", e);
        }

        return record.Loss.Count + record.ValLoss.Count > 0
            ? record
            : throw new ModelFormatException($"{metrics}: no line of it is a step or an evaluation; expected {RunFiles.MetricsFile}, or nanoGPT's 'iter 250: loss 2.0331, ...'.");
    }

    /// <summary>The folder's name, or that of a log that has a name of its own.</summary>
    private static string NameOf(string path)
    {
        var name = Path.GetFileName(Path.TrimEndingDirectorySeparator(path));
        return name is RunFiles.MetricsFile or RunFiles.LogFile ? Path.GetFileName(Path.GetDirectoryName(path)!) : name;
    }

    private void AddMetric(string line)
    {
        try
        {
            using var document = JsonDocument.Parse(line);
            var root = document.RootElement;
            if (root.TryGetProperty("run", out var run))
            {
                if (root.GetProperty("start").GetInt32() is > 0 and var start) Resumes.Add(start);
                About.Clear();
                foreach (var property in run.EnumerateObject()) About[property.Name] = property.Value.ToString();
                return;
            }

            var iteration = root.GetProperty("iter").GetInt32();
            if (root.TryGetProperty("sample", out var sample)) AddSample(iteration, sample.GetString() ?? "");
            Add(Loss, "loss");
            Add(TrainLoss, "train_loss");
            Add(ValLoss, "val_loss");
            Add(LearningRate, "lr");
            Add(GradNorm, "grad_norm");
            Add(TokensPerSecond, "tokens_per_s");
            Add(Milliseconds, "ms");
            if (root.TryGetProperty("tokens", out var tokens)) LastTokens = tokens.GetDouble();

            void Add(List<Point> series, string name)
            {
                if (root.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number) series.Add(new(iteration, value.GetDouble()));
            }
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            // A line that a killed process has cut off, or somebody else's: there is nothing to draw in it.
        }
    }

    private void AddLogLine(string line)
    {
        if (StepLine().Match(line) is { Success: true } step)
        {
            TrainLoss.Add(Number(step, "train"));
            ValLoss.Add(Number(step, "val"));
        }
        else if (IterationLine().Match(line) is { Success: true } iteration)
        {
            Loss.Add(Number(iteration, "loss"));
            Milliseconds.Add(Number(iteration, "ms"));
        }

        static Point Number(Match match, string group) => new(
            double.Parse(match.Groups["i"].Value, CultureInfo.InvariantCulture),
            double.TryParse(match.Groups[group].Value, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) ? value : double.NaN);
    }

    private void AddSample(int iteration, string text)
    {
        Samples.Add((iteration, text.Length > LongestSample ? text[..LongestSample] + " ..." : text));
        if (Samples.Count > MostSamples) Samples.RemoveAt(0);
    }

    [GeneratedRegex(@"^step (?<i>\d+): train loss (?<train>\S+), val loss (?<val>\S+)")]
    private static partial Regex StepLine();

    [GeneratedRegex(@"^iter (?<i>\d+): loss (?<loss>[^,]+), time (?<ms>[\d.]+)ms")]
    private static partial Regex IterationLine();
}
