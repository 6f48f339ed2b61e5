// Where a run stands, apart from weights and optimizer: what trainer.json of a checkpoint holds. Batches and dropout
// follow from (seed, iteration), so the iteration is the position in the data and no random state needs to be kept.

using System.Globalization;
using System.Text;
using System.Text.Json;

namespace NanoGpt.Training;

/// <summary>What a resumed run must know to go on as if it had never stopped.</summary>
internal sealed record TrainerState
{
    public const string FileName = "trainer.json";

    /// <summary>Steps done; the next step has this number.</summary>
    public int Iteration { get; init; }

    /// <summary>The lowest validation loss so far, and the iteration that had it; null before the first evaluation.</summary>
    public (int Iteration, double Loss)? Best { get; init; }

    /// <summary>The last evaluation's iteration, so that a resumed run doesn't do it again; -1 before the first.</summary>
    public int LastEvaluation { get; init; } = -1;

    /// <summary>Evaluations in a row that were not better than the best.</summary>
    public int EvaluationsWithoutImprovement { get; init; }

    /// <summary>Tokens trained on so far.</summary>
    public long Tokens { get; init; }

    /// <summary>Seconds of training so far, over all starts.</summary>
    public double Seconds { get; init; }

    /// <summary>Steps left out as outliers so far.</summary>
    public int SkippedSteps { get; init; }

    /// <summary>What is usual for the loss and the gradient norm of late.</summary>
    public OutlierDetector Usual { get; init; } = new();

    /// <summary>The factor of the loss, and how it moves; 1 where products are not float16.</summary>
    public LossScale LossScale { get; init; } = LossScale.None;

    /// <summary>Whether matrix products go through oneDNN, which adds in another order; null where a checkpoint doesn't say.</summary>
    public bool? UsesOneDnn { get; init; }

    /// <summary>Whether gradients are computed without autograd, which adds in another order; null where a checkpoint doesn't say.</summary>
    public bool? UsesManagedPass { get; init; }

    /// <summary>The run's seed; null where a checkpoint doesn't say.</summary>
    public int? Seed { get; init; }

    /// <summary>Where the training data came from; null where a checkpoint doesn't say.</summary>
    public string? Data { get; init; }

    /// <summary>What the training data was; null where a checkpoint doesn't say.</summary>
    public string? DataFingerprint { get; init; }

    /// <summary>The options as they were given, by name; a null is still one.</summary>
    public IReadOnlyDictionary<string, object?> Options { get; init; } = new Dictionary<string, object?>();

    /// <summary>The state of a run that begins.</summary>
    public static TrainerState Beginning(TrainerOptions options) =>
        new() { LossScale = options.Dtype == Dtype.Float16 ? LossScale.Initial : LossScale.None };

    public void Write(string folder)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            json.WriteNumber("iteration", Iteration);
            if (Best is { } best)
            {
                json.WriteNumber("best_iteration", best.Iteration);
                json.WriteNumber("best_val_loss", best.Loss);
            }

            json.WriteNumber("last_evaluation", LastEvaluation);
            json.WriteNumber("evaluations_without_improvement", EvaluationsWithoutImprovement);
            json.WriteNumber("tokens", Tokens);
            json.WriteNumber("seconds", Math.Round(Seconds, 3));
            json.WriteNumber("skipped_steps", SkippedSteps);
            if (Seed is { } seed) json.WriteNumber("seed", seed);
            json.WriteNumber("loss_scale", LossScale.Factor);
            json.WriteNumber("loss_scale_good_steps", LossScale.GoodSteps);
            if (UsesOneDnn is { } usesOneDnn) json.WriteBoolean("one_dnn", usesOneDnn);
            if (UsesManagedPass is { } usesManagedPass) json.WriteBoolean("managed_pass", usesManagedPass);
            if (Data is not null) json.WriteString("data", Data);
            if (DataFingerprint is not null) json.WriteString("data_fingerprint", DataFingerprint);
            json.WritePropertyName("usual");
            Usual.Write(json);
            json.WritePropertyName("options");
            WriteOptions(json, Options);
            json.WritePropertyName("versions");
            WriteOptions(json, Versions());
            json.WriteEndObject();
        }

        IO.AtomicFile.WriteAllText(Path.Combine(folder, FileName), Encoding.UTF8.GetString(stream.ToArray()) + "\n");
    }

    /// <exception cref="CheckpointException">The file is not what <see cref="Write"/> writes.</exception>
    public static TrainerState Read(string folder)
    {
        var path = Path.Combine(folder, FileName);
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(path));
            var root = document.RootElement;
            return new TrainerState
            {
                Iteration = root.GetProperty("iteration").GetInt32(),
                Best = root.TryGetProperty("best_val_loss", out var loss) ? (root.GetProperty("best_iteration").GetInt32(), loss.GetDouble()) : null,
                LastEvaluation = root.GetProperty("last_evaluation").GetInt32(),
                EvaluationsWithoutImprovement = root.GetProperty("evaluations_without_improvement").GetInt32(),
                Tokens = root.GetProperty("tokens").GetInt64(),
                Seconds = root.GetProperty("seconds").GetDouble(),
                SkippedSteps = root.GetProperty("skipped_steps").GetInt32(),
                Seed = root.TryGetProperty("seed", out var seed) ? seed.GetInt32() : null,
                LossScale = new LossScale(root.GetProperty("loss_scale").GetDouble(), root.GetProperty("loss_scale_good_steps").GetInt32()),
                UsesOneDnn = root.TryGetProperty("one_dnn", out var oneDnn) ? oneDnn.GetBoolean() : null,
                UsesManagedPass = root.TryGetProperty("managed_pass", out var managedPass) ? managedPass.GetBoolean() : null,
                Data = root.TryGetProperty("data", out var data) ? data.GetString() : null,
                DataFingerprint = root.TryGetProperty("data_fingerprint", out var fingerprint) ? fingerprint.GetString() : null,
                Usual = OutlierDetector.Read(root.GetProperty("usual")),
                Options = root.GetProperty("options").EnumerateObject().ToDictionary(p => p.Name, p => Plain(p.Value)),
            };
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException
            or IOException or UnauthorizedAccessException)
        {
            throw new CheckpointException($"{path}: not the state of a training run: {e.Message}", e);
        }
    }

    private static Dictionary<string, object?> Versions() => new()
    {
        ["nanogpt"] = typeof(Trainer).Assembly.GetName().Version?.ToString(3),
        ["torchsharp"] = typeof(TorchSharp.torch).Assembly.GetName().Version?.ToString(3),
        ["dotnet"] = Environment.Version.ToString(),
        ["os"] = System.Runtime.InteropServices.RuntimeInformation.RuntimeIdentifier,
    };

    private static void WriteOptions(Utf8JsonWriter json, IReadOnlyDictionary<string, object?> options)
    {
        json.WriteStartObject();
        foreach (var (name, value) in options)
        {
            json.WritePropertyName(name);
            switch (value)
            {
                case null: json.WriteNullValue(); break;
                case bool b: json.WriteBooleanValue(b); break;
                case long l: json.WriteNumberValue(l); break;
                case double d: json.WriteNumberValue(d); break;
                default: json.WriteStringValue(Convert.ToString(value, CultureInfo.InvariantCulture)); break;
            }
        }

        json.WriteEndObject();
    }

    private static object? Plain(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        JsonValueKind.Number when value.TryGetInt64(out var whole) => whole,
        JsonValueKind.Number => value.GetDouble(),
        JsonValueKind.String => value.GetString(),
        _ => null,
    };
}
