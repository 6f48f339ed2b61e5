// From a request's JSON to GenerationOptions, with a refusal for whatever cannot be done as asked.

using System.Text.Json;

using Microsoft.AspNetCore.Http;

namespace NanoGpt.Samples.Serving;

internal static class RequestReader
{
    private const int DefaultMaxTokens = 16; // OpenAI's

    /// <exception cref="ApiException">The body is no JSON, too large, or of another form.</exception>
    public static async Task<T> ReadAsync<T>(HttpContext context) where T : class
    {
        if (!context.Request.HasJsonContentType())
            throw new ApiException(StatusCodes.Status415UnsupportedMediaType, "The request's content type must be application/json.");
        try
        {
            return await context.Request.ReadFromJsonAsync<T>(Wire.Json, context.RequestAborted)
                ?? throw ApiException.BadRequest("The request is null; it must be an object.");
        }
        catch (JsonException e)
        {
            var place = e.LineNumber is { } line ? $"line {line + 1}, byte {e.BytePositionInLine + 1}" : "its end";
            throw ApiException.BadRequest($"The request is no JSON of the form that is expected here: see {e.Path ?? "$"}, {place}.", e.Path);
        }
    }

    public static GenerationOptions Options(GenerationRequest request, ServerLimits limits, int texts)
    {
        var maxTokens = request.MaxTokens ?? Math.Min(DefaultMaxTokens, limits.MaxTokens);
        var n = request.N ?? 1;
        if (n < 1) throw ApiException.BadRequest($"n is {n}, must be at least 1.", "n");
        if ((long)maxTokens * n * texts > limits.MaxTokens)
            throw ApiException.BadRequest($"max_tokens is {maxTokens} for {(long)n * texts} texts; this server gives {limits.MaxTokens} tokens in all.", "max_tokens");
        if (request.Stream == true && (long)n * texts > 1) throw ApiException.BadRequest("One text can be streamed at a time: n must be 1, and one prompt.", "stream");

        return new GenerationOptions
        {
            MaxNewTokens = maxTokens,
            Temperature = request.Temperature ?? 1,
            TopP = request.TopP ?? 1,
            TopK = request.TopK ?? 0,
            PresencePenalty = request.PresencePenalty ?? 0,
            FrequencyPenalty = request.FrequencyPenalty ?? 0,
            ReturnSequences = n,
            Seed = request.Seed,
            StopStrings = Strings(request.Stop, "stop", ServerLimits.MaxStops),
        };
    }

    /// <summary>A string, an array of strings, or nothing.</summary>
    public static IReadOnlyList<string> Strings(JsonElement? value, string name, int max)
    {
        var texts = value switch
        {
            null or { ValueKind: JsonValueKind.Null } => [],
            { ValueKind: JsonValueKind.String } text => [text.GetString()!],
            { ValueKind: JsonValueKind.Array } array when array.EnumerateArray().All(item => item.ValueKind == JsonValueKind.String) =>
                array.EnumerateArray().Select(item => item.GetString()!).ToArray(),
            _ => throw ApiException.BadRequest($"{name} must be a string or an array of strings.", name),
        };
        return texts.Length <= max ? texts : throw ApiException.BadRequest($"{name} has {texts.Length} entries, at most {max} are possible.", name);
    }
}
