// From a request's JSON to GenerationOptions, with a refusal for whatever cannot be done as asked.

using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.AI;

namespace NanoGpt.Samples.Serving;

internal static class RequestReader
{
    /// <param name="context">The request.</param>
    /// <param name="model">The one model that is here. A request that names none means it.</param>
    /// <exception cref="ApiException">The body is no JSON, too large, of another form, or for another model.</exception>
    public static async Task<T> ReadAsync<T>(HttpContext context, string model) where T : ModelRequest
    {
        var request = await ReadJsonAsync<T>(context);
        return request.Model is null || request.Model == model ? request : throw ApiException.NoSuchModel(request.Model, model);
    }

    private static async Task<T> ReadJsonAsync<T>(HttpContext context) where T : class
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

    /// <param name="request">What is asked for.</param>
    /// <param name="limits">What may be.</param>
    /// <param name="texts">Texts that are continued.</param>
    /// <param name="defaultMaxTokens">New tokens of each where the request does not say.</param>
    /// <exception cref="ApiException">It asks for more than may be.</exception>
    public static GenerationOptions Options(GenerationRequest request, ServerLimits limits, int texts, int defaultMaxTokens)
    {
        var maxTokens = request.MaxCompletionTokens ?? request.MaxTokens ?? Math.Min(defaultMaxTokens, limits.MaxTokens);
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
            LogitBias = request.LogitBias ?? [],
            ReturnSequences = n,
            Seed = request.Seed,
            StopStrings = Strings(request.Stop, "stop", ServerLimits.MaxStops),
        };
    }

    /// <summary>The turns of a conversation.</summary>
    public static IReadOnlyList<ChatMessage> Messages(IReadOnlyList<RequestMessage>? messages)
    {
        if (messages is not { Count: > 0 }) throw ApiException.BadRequest("messages is missing or empty.", "messages");
        return [.. messages.Select((message, index) => new ChatMessage(Role(message.Role, index), Text(message.Content, index)))];
    }

    private static ChatRole Role(string? role, int index) => role switch
    {
        "system" or "developer" => ChatRole.System,
        "user" => ChatRole.User,
        "assistant" => ChatRole.Assistant,
        _ => throw ApiException.BadRequest($"messages[{index}].role is '{role}', must be system, developer, user or assistant.", "messages"),
    };

    private static string Text(JsonElement? content, int index) => content switch
    {
        { ValueKind: JsonValueKind.String } text => text.GetString()!,
        { ValueKind: JsonValueKind.Array } parts when parts.EnumerateArray().All(IsText) =>
            string.Concat(parts.EnumerateArray().Select(part => part.GetProperty("text").GetString())),
        _ => throw ApiException.BadRequest($"messages[{index}].content must be a string, or an array of parts of type text.", "messages"),
    };

    private static bool IsText(JsonElement part) =>
        part.ValueKind == JsonValueKind.Object
        && part.TryGetProperty("type", out var type) && type.ValueKind == JsonValueKind.String && type.GetString() == "text"
        && part.TryGetProperty("text", out var text) && text.ValueKind == JsonValueKind.String;

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
