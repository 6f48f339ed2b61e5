// What travels: requests, answers and errors in OpenAI's names, which JSON writes in snake_case.

using System.Text.Json;
using System.Text.Json.Serialization;

namespace NanoGpt.Samples.Serving;

internal static class Wire
{
    public static JsonSerializerOptions Json { get; } = new(JsonSerializerDefaults.Web)
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };
}

internal sealed record StreamOptions(bool? IncludeUsage);

/// <summary>What all requests have in common.</summary>
internal abstract record ModelRequest
{
    public string? Model { get; init; }
}

/// <summary>What completions and chat completions have in common.</summary>
internal abstract record GenerationRequest : ModelRequest
{
    public int? MaxTokens { get; init; }

    /// <summary>The newer name of MaxTokens.</summary>
    public int? MaxCompletionTokens { get; init; }

    public double? Temperature { get; init; }

    public double? TopP { get; init; }

    /// <summary>Not OpenAI's, but what local servers know.</summary>
    public int? TopK { get; init; }

    public double? PresencePenalty { get; init; }

    public double? FrequencyPenalty { get; init; }

    public Dictionary<int, float>? LogitBias { get; init; }

    public int? N { get; init; }

    public long? Seed { get; init; }

    /// <summary>A string or an array of strings.</summary>
    public JsonElement? Stop { get; init; }

    public bool? Stream { get; init; }

    public StreamOptions? StreamOptions { get; init; }

    [JsonIgnore]
    public bool WantsUsage => StreamOptions?.IncludeUsage == true;
}

internal sealed record CompletionRequest : GenerationRequest
{
    /// <summary>A string or an array of strings.</summary>
    public JsonElement? Prompt { get; init; }

    public int? Logprobs { get; init; }

    public bool? Echo { get; init; }
}

internal sealed record ChatCompletionRequest : GenerationRequest
{
    public IReadOnlyList<RequestMessage>? Messages { get; init; }

    public bool? Logprobs { get; init; }

    public int? TopLogprobs { get; init; }

    public IReadOnlyList<JsonElement>? Tools { get; init; }

    public ResponseFormat? ResponseFormat { get; init; }
}

/// <summary>The content is a string, or an array of parts of type text.</summary>
internal sealed record RequestMessage(string? Role, JsonElement? Content);

internal sealed record ResponseFormat(string? Type);

/// <summary>The input is a string or an array of strings.</summary>
internal sealed record EmbeddingRequest(JsonElement? Input, int? Dimensions, string? EncodingFormat) : ModelRequest;

internal sealed record Usage(int PromptTokens, int CompletionTokens)
{
    public int TotalTokens => PromptTokens + CompletionTokens;

    public PromptDetails? PromptTokensDetails { get; init; }
}

/// <param name="CachedTokens">Those that an earlier request had computed.</param>
internal sealed record PromptDetails(int CachedTokens);

internal sealed record Completion(string Id, string Object, long Created, string Model, IReadOnlyList<CompletionChoice> Choices, Usage? Usage = null);

internal sealed record CompletionChoice(int Index, string Text, CompletionLogprobs? Logprobs = null)
{
    [JsonIgnore(Condition = JsonIgnoreCondition.Never)]
    public string? FinishReason { get; init; }
}

/// <summary>Four lists with an entry for each token.</summary>
internal sealed record CompletionLogprobs(
    IReadOnlyList<string> Tokens,
    IReadOnlyList<double?> TokenLogprobs,
    IReadOnlyList<IReadOnlyDictionary<string, double>> TopLogprobs,
    IReadOnlyList<int> TextOffset);

internal sealed record ChatCompletion(string Id, string Object, long Created, string Model, IReadOnlyList<ChatChoice> Choices, Usage? Usage = null);

/// <summary>A whole answer has a Message, a piece of one a Delta.</summary>
internal sealed record ChatChoice(int Index, ChatLogprobs? Logprobs)
{
    public ChatAnswer? Message { get; init; }

    public ChatAnswer? Delta { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.Never)]
    public string? FinishReason { get; init; }
}

internal sealed record ChatAnswer
{
    public string? Role { get; init; }

    public string? Content { get; init; }
}

internal sealed record ChatLogprobs(IReadOnlyList<TokenLogprob> Content);

internal sealed record TokenLogprob(string Token, double Logprob, IReadOnlyList<int> Bytes)
{
    public IReadOnlyList<TokenLogprob>? TopLogprobs { get; init; }
}

internal sealed record EmbeddingList(string Object, IReadOnlyList<EmbeddingEntry> Data, string Model, Usage Usage);

/// <summary>The embedding is numbers, or their bytes in base64.</summary>
internal sealed record EmbeddingEntry(string Object, int Index, object Embedding);

internal sealed record ModelList(string Object, IReadOnlyList<ModelEntry> Data);

internal sealed record ModelEntry(string Id, string Object, long Created, string OwnedBy);

internal sealed record ErrorAnswer(ErrorBody Error);

/// <summary>Clients read all four, so what is not known is null and not left out.</summary>
internal sealed record ErrorBody(string Message, string Type)
{
    [JsonIgnore(Condition = JsonIgnoreCondition.Never)]
    public string? Param { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.Never)]
    public string? Code { get; init; }
}
