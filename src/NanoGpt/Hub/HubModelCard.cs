// The README.md of a model on the Hub: facts at its head for the Hub's search, the same for people below. Knows nothing of
// training; whoever trained fills it in.

using System.Globalization;
using System.Text;
using System.Text.Json;

namespace NanoGpt.Hub;

/// <summary>What a model's page on the Hub says. Only what is set is written.</summary>
public sealed class HubModelCard
{
    /// <summary>The model's name, the page's title.</summary>
    public required string Name { get; init; }

    /// <summary>The repository that training began from, such as <c>openai-community/gpt2</c>.</summary>
    public string? BaseModel { get; init; }

    /// <summary>The licence's id on the Hub, such as <c>mit</c>.</summary>
    public string? License { get; init; }

    /// <summary>Languages as ISO 639-1 codes, such as <c>en</c>.</summary>
    public IReadOnlyList<string> Languages { get; init; } = [];

    /// <summary>What it was trained on, in words or as a repository id.</summary>
    public string? Dataset { get; init; }

    /// <summary>A sentence or more about what it is for.</summary>
    public string? Description { get; init; }

    /// <summary>Training iterations made.</summary>
    public long? Iterations { get; init; }

    /// <summary>The last loss on the training part, in nats per token.</summary>
    public double? TrainLoss { get; init; }

    /// <summary>The best loss on the validation part, in nats per token.</summary>
    public double? ValidationLoss { get; init; }

    /// <summary>Settings of the run, by their names on the command line.</summary>
    public IReadOnlyDictionary<string, string> Settings { get; init; } = new Dictionary<string, string>();

    /// <summary>Writes <c>README.md</c> into a model's folder, unless one is there.</summary>
    /// <param name="folder">The folder.</param>
    /// <returns>False where one was there, which is left as it is.</returns>
    /// <exception cref="IOException">It can't be written.</exception>
    public bool WriteTo(string folder)
    {
        var path = Path.Combine(folder, "README.md");
        if (File.Exists(path)) return false;
        IO.AtomicFile.WriteAllText(path, ToMarkdown());
        return true;
    }

    /// <summary>The page's text.</summary>
    public string ToMarkdown()
    {
        var text = new StringBuilder("---\n");
        Fact("library_name", "transformers");
        Fact("pipeline_tag", "text-generation");
        Fact("license", License);
        Fact("base_model", BaseModel);
        if (Languages.Count > 0) text.Append("language:\n").AppendJoin("", Languages.Select(language => $"- {Quote(language)}\n"));
        text.Append("tags:\n- \"gpt2\"\n- \"nanogpt\"\n---\n\n# ").Append(OneLine(Name)).Append("\n\n");

        if (Description is not null) text.Append(Description.Trim()).Append("\n\n");
        Row("Base model", BaseModel);
        Row("Trained on", Dataset);
        Row("Iterations", Iterations?.ToString(CultureInfo.InvariantCulture));
        Row("Training loss", TrainLoss?.ToString("0.0000", CultureInfo.InvariantCulture));
        Row("Validation loss", ValidationLoss?.ToString("0.0000", CultureInfo.InvariantCulture));
        if (Settings.Count > 0) text.Append("\n## Training settings\n\n| setting | value |\n| --- | --- |\n");
        foreach (var (name, value) in Settings.OrderBy(setting => setting.Key, StringComparer.Ordinal))
            text.Append(CultureInfo.InvariantCulture, $"| {Cell(name)} | {Cell(value)} |\n");
        return text.ToString().TrimEnd() + "\n";

        // A JSON string is a YAML string, whatever stands in it.
        void Fact(string name, string? value)
        {
            if (value is not null) text.Append(CultureInfo.InvariantCulture, $"{name}: {Quote(value)}\n");
        }

        void Row(string name, string? value)
        {
            if (value is not null) text.Append(CultureInfo.InvariantCulture, $"- {name}: {OneLine(value)}\n");
        }
    }

    private static string Quote(string value) => JsonSerializer.Serialize(value);

    private static string OneLine(string value) => value.ReplaceLineEndings(" ").Trim();

    private static string Cell(string value) => OneLine(value).Replace("|", "\\|", StringComparison.Ordinal);
}
