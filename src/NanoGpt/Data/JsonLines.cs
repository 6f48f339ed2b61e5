// Documents from .jsonl files: one JSON object a line, {"text": ...} or {"prompt": ..., "response": ...}.

using System.Text.Json;

namespace NanoGpt.Data;

/// <summary>The documents of .jsonl files, file by file.</summary>
/// <param name="name">What is being read, for messages.</param>
/// <param name="files">The files in their order.</param>
internal sealed class JsonLines(string name, IReadOnlyList<string> files) : DocumentSource
{
    public override string Name => name;

    public override long Count(CancellationToken cancellationToken) => Lines(cancellationToken).LongCount();

    public override IEnumerable<Document> Read(CancellationToken cancellationToken) =>
        Lines(cancellationToken).Select(l => Parse(l.Text, l.File, l.Number));

    private IEnumerable<(string Text, string File, long Number)> Lines(CancellationToken cancellationToken)
    {
        foreach (var file in files)
        {
            long number = 0;
            foreach (var line in File.ReadLines(file))
            {
                cancellationToken.ThrowIfCancellationRequested();
                number++;
                if (!string.IsNullOrWhiteSpace(line)) yield return (line, file, number);
            }
        }
    }

    private static Document Parse(string line, string file, long number)
    {
        try
        {
            using var json = JsonDocument.Parse(line);
            var root = json.RootElement;
            if (root.ValueKind == JsonValueKind.Object)
            {
                if (Text(root, "text") is { } text) return new Document(text);
                if (Text(root, "prompt") is { } prompt && (Text(root, "response") ?? Text(root, "completion")) is { } response) return new Document(response, prompt);
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new ModelFormatException($"{file}, line {number}: not valid JSON: {e.Message}", e);
        }

        throw new ModelFormatException($"{file}, line {number}: neither a string 'text' nor strings 'prompt' and 'response' in it. One of the two makes a document.");
    }

    private static string? Text(JsonElement root, string name) =>
        root.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
