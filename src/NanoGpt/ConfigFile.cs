// Configuration files of a run: ours are JSON, nanoGPT's are Python files of `name = value` lines. Both are read as data;
// nothing in them is run. What a name means is not known here.

using System.Text.Json;
using NanoGpt.Training;

namespace NanoGpt;

/// <summary>Reads configuration files: JSON, or nanoGPT's <c>name = value</c> Python files, which are parsed and never run.</summary>
/// <remarks>Stateless, so safe from several threads.</remarks>
public static class ConfigFile
{
    /// <summary>Reads a file by its extension: <c>.json</c> or <c>.py</c>.</summary>
    /// <param name="path">The file.</param>
    /// <returns>The values by name, in the file's order: bool, long, double, string or null.</returns>
    /// <exception cref="ModelFormatException">The file is not there, not readable, or says something else than names and values.</exception>
    public static IReadOnlyList<KeyValuePair<string, object?>> Read(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        string text;
        try
        {
            text = File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ModelFormatException($"{path}: the config file cannot be read: {e.Message}", e);
        }

        return Path.GetExtension(path).ToLowerInvariant() switch
        {
            ".json" => ReadJson(path, text),
            ".py" => PythonConfig.Parse(path, text),
            var other => throw new ModelFormatException(
                $"{path}: a config file is .json, or nanoGPT's .py; this one is '{other}'."),
        };
    }

    /// <summary>Reads what follows <c>--name=</c> on a command line: a number, True, False, None, or else a text.</summary>
    /// <param name="text">The value as typed; quotes around a text are optional.</param>
    /// <returns>bool, long, double, string or null.</returns>
    public static object? ParseValue(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return text switch
        {
            "True" or "true" => true,
            "False" or "false" => false,
            "None" or "null" => null,
            _ => PythonConfig.TryLiteral(text, out var value) ? value : text,
        };
    }

    /// <summary>The known name nearest to a mistyped one, for a "did you mean".</summary>
    /// <param name="name">What was typed.</param>
    /// <param name="known">The names there are.</param>
    /// <returns>The nearest, or null where none is near.</returns>
    public static string? Closest(string name, IEnumerable<string> known)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(known);
        return ClosestName.Find(name, known);
    }

    private static List<KeyValuePair<string, object?>> ReadJson(string path, string text)
    {
        var values = new List<KeyValuePair<string, object?>>();
        try
        {
            var options = new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true };
            using var document = JsonDocument.Parse(text, options);
            if (document.RootElement.ValueKind != JsonValueKind.Object)
                throw new ModelFormatException($"{path}: a config is a JSON object of names and values, found {document.RootElement.ValueKind}.");
            foreach (var property in document.RootElement.EnumerateObject())
                values.Add(new(property.Name, Scalar(path, property)));
        }
        catch (JsonException e)
        {
            throw new ModelFormatException($"{path}: not valid JSON: {e.Message}", e);
        }

        return values;
    }

    private static object? Scalar(string path, JsonProperty property) => property.Value.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        JsonValueKind.Null => null,
        JsonValueKind.String => property.Value.GetString(),
        JsonValueKind.Number when property.Value.TryGetInt64(out var whole) => whole,
        JsonValueKind.Number => property.Value.GetDouble(),
        var kind => throw new ModelFormatException(
            $"{path}: {property.Name} is {kind}; a config value is a number, a text, true, false or null."),
    };
}
