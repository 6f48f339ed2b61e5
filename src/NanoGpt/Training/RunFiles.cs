// What a run leaves in its folder for people and programs to read: metrics.jsonl, metrics.csv, log.txt in nanoGPT's lines,
// and TensorBoard's events. After a resume each step stands in the metrics once: what came after the checkpoint is dropped.
// A line that cannot be written is no reason to end a run: it is missing, and the first one is told.

using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace NanoGpt.Training;

/// <summary>The files of one run that grow while it trains.</summary>
internal sealed class RunFiles : IDisposable
{
    public const string MetricsFile = "metrics.jsonl";
    public const string LogFile = "log.txt";

    private const string CsvHeader = "iter,train_loss,val_loss,loss,lr,grad_norm,ms,tokens_per_s,mfu";

    private readonly LineFile? _metrics;
    private readonly LineFile? _csv;
    private readonly LineFile? _log;
    private readonly EventFile? _events;
    private readonly Action<string> _onFault;
    private bool _hasFault;

    private RunFiles() => _onFault = _ => { };

    /// <param name="outDir">The run's folder, which exists.</param>
    /// <param name="resumed">The state a run goes on from, or null for one that begins.</param>
    /// <param name="tensorBoard">Whether to write TensorBoard's events too.</param>
    /// <param name="onFault">Told once, when for the first time something cannot be written.</param>
    /// <exception cref="IOException">The files cannot be made.</exception>
    public RunFiles(string outDir, TrainerState? resumed, bool tensorBoard, Action<string> onFault)
    {
        _onFault = onFault;
        Predicate<string>? keepMetrics = resumed is null ? null : line => KeepMetric(line, resumed);
        Predicate<string>? keepCsv = resumed is null ? null : line => KeepCsv(line, resumed);
        _metrics = new LineFile(Path.Combine(outDir, MetricsFile), keepMetrics);
        _csv = new LineFile(Path.Combine(outDir, "metrics.csv"), keepCsv, CsvHeader);
        _log = new LineFile(Path.Combine(outDir, LogFile), resumed is null ? null : _ => true);
        _events = tensorBoard ? new EventFile(Path.Combine(outDir, "tensorboard"), resumed?.Iteration) : null;
    }

    /// <summary>No files at all, for a run that only evaluates.</summary>
    public static RunFiles None() => new();

    /// <summary>A line of the log, to the letter.</summary>
    public void Log(string line) => Append(_log, line);

    /// <summary>What the run is: options, model, machine. Once at each start.</summary>
    public void Start(int iteration, IReadOnlyDictionary<string, object?> about)
    {
        var run = new JsonObject();
        foreach (var (name, value) in about) run[name] = Node(value);
        Append(_metrics, new JsonObject { ["start"] = iteration, ["run"] = run }.ToJsonString());
    }

    public void Step(TrainingProgress step)
    {
        var milliseconds = step.IterationTime.TotalMilliseconds;
        Append(_metrics, new JsonObject
        {
            ["iter"] = step.Iteration,
            ["loss"] = Node(step.Loss),
            ["lr"] = step.LearningRate,
            ["grad_norm"] = Node(step.GradNorm),
            ["ms"] = Math.Round(milliseconds, 3),
            ["tokens_per_s"] = Math.Round(step.TokensPerSecond, 1),
            ["mfu"] = step.Mfu < 0 ? null : Math.Round(step.Mfu, 6),
            ["tokens"] = step.Tokens,
        }.ToJsonString());
        Append(_csv, string.Create(
            CultureInfo.InvariantCulture,
            $"{step.Iteration},,,{step.Loss},{step.LearningRate},{step.GradNorm},{milliseconds:F3},{step.TokensPerSecond:F1},{(step.Mfu < 0 ? "" : step.Mfu.ToString("F6", CultureInfo.InvariantCulture))}"));

        Scalar("train/loss", step.Iteration, step.Loss);
        Scalar("train/lr", step.Iteration, step.LearningRate);
        Scalar("train/grad_norm", step.Iteration, step.GradNorm);
        Scalar("train/tokens_per_s", step.Iteration, step.TokensPerSecond);
        if (step.Mfu >= 0) Scalar("train/mfu", step.Iteration, step.Mfu);
    }

    public void Evaluation(EvaluationResult evaluation)
    {
        Append(_metrics, new JsonObject
        {
            ["iter"] = evaluation.Iteration,
            ["train_loss"] = Node(evaluation.TrainLoss),
            ["val_loss"] = Node(evaluation.ValLoss),
        }.ToJsonString());
        Append(_csv, string.Create(
            CultureInfo.InvariantCulture, $"{evaluation.Iteration},{evaluation.TrainLoss},{evaluation.ValLoss},,,,,,"));
        Scalar("eval/train_loss", evaluation.Iteration, evaluation.TrainLoss);
        Scalar("eval/val_loss", evaluation.Iteration, evaluation.ValLoss);
    }

    public void Sample(int iteration, string text)
    {
        Append(_metrics, new JsonObject { ["iter"] = iteration, ["sample"] = text }.ToJsonString());
        Try(() => _events?.Text("sample", iteration, text));
    }

    public void Dispose()
    {
        _metrics?.Dispose();
        _csv?.Dispose();
        _log?.Dispose();
        _events?.Dispose();
    }

    private void Scalar(string tag, int iteration, double value) => Try(() => _events?.Scalar(tag, iteration, value));

    private void Append(LineFile? file, string line) => Try(() => file?.Append(line));

    private void Try(Action write)
    {
        try
        {
            write();
        }
        catch (IOException e)
        {
            if (_hasFault) return;
            _hasFault = true;
            _onFault($"metrics and log cannot be written: {e.Message} Training goes on; what cannot be written is missing there.");
        }
    }

    // JSON has no NaN and no infinity.
    private static JsonValue? Node(object? value) => value switch
    {
        null => null,
        double d => double.IsFinite(d) ? JsonValue.Create(d) : JsonValue.Create(d.ToString(CultureInfo.InvariantCulture)),
        long l => JsonValue.Create(l),
        int i => JsonValue.Create(i),
        bool b => JsonValue.Create(b),
        _ => JsonValue.Create(Convert.ToString(value, CultureInfo.InvariantCulture)),
    };

    private static bool KeepMetric(string line, TrainerState resumed)
    {
        try
        {
            using var document = JsonDocument.Parse(line);
            var root = document.RootElement;
            if (root.TryGetProperty("start", out var start)) return start.GetInt32() < resumed.Iteration;
            var iteration = root.GetProperty("iter").GetInt32();
            return root.TryGetProperty("loss", out _) ? iteration < resumed.Iteration : iteration <= resumed.LastEvaluation;
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            return false;
        }
    }

    private static bool KeepCsv(string line, TrainerState resumed)
    {
        var cells = line.Split(',');
        if (cells.Length < 4 || !int.TryParse(cells[0], NumberStyles.None, CultureInfo.InvariantCulture, out var iteration)) return false;
        return cells[1].Length == 0 ? iteration < resumed.Iteration : iteration <= resumed.LastEvaluation;
    }
}
