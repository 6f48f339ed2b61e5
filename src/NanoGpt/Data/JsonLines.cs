// Documents from .jsonl files: one JSON object a line, {"text": ...} or {"prompt": ..., "response": ...}.

using System.Text;
using System.Text.Json;

namespace NanoGpt.Data;

/// <summary>The documents of .jsonl files, file by file.</summary>
/// <param name="name">What is being read, for messages.</param>
/// <param name="files">The files in their order.</param>
internal sealed class JsonLines(string name, IReadOnlyList<string> files) : DocumentSource
{
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public override string Name => name;

    public override long Count(CancellationToken cancellationToken) => Lines(cancellationToken).LongCount();

    public override IEnumerable<Document> Read(CancellationToken cancellationToken) =>
        Lines(cancellationToken).Select(l => Parse(l.Text, l.File, l.Number));

    private IEnumerable<(string Text, string File, long Number)> Lines(CancellationToken cancellationToken)
    {
        foreach (var file in files)
        {
            using var reader = Reading(file, 1, () => new StreamReader(file, StrictUtf8));
            for (long number = 1; Reading(file, number, reader.ReadLine) is { } line; number++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (!string.IsNullOrWhiteSpace(line)) yield return (line, file, number);
            }
        }
    }

    private static T Reading<T>(string file, long line, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (DecoderFallbackException e)
        {
            // The reader is ahead of the line by its buffer.
            throw new ModelFormatException($"{file}: byte {e.BytesUnknown?.FirstOrDefault():X2}, after line {line}, is not UTF-8; expected text. Save the file as UTF-8.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ModelFormatException($"{file}: cannot be read: {e.Message}", e);
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
