// What a caller of IChatClient asks for, checked and turned into what a Generator understands. What cannot be done as asked is
// refused: an answer that ignores half of the question would look like one that doesn't.

using System.Globalization;
using Microsoft.Extensions.AI;
using NanoGpt.Tokenization;

namespace NanoGpt.Chat;

/// <summary>One request, ready to run.</summary>
/// <param name="Ids">The prompt.</param>
/// <param name="Options">Checked against the model.</param>
internal sealed record ChatRequest(IReadOnlyList<int> Ids, GenerationOptions Options)
{
    /// <summary>Reads a request.</summary>
    /// <exception cref="ArgumentException">It asks for what a GPT-2 cannot do, or an option is out of its range.</exception>
    public static ChatRequest Read(
        IEnumerable<ChatMessage> messages, ChatOptions? options, GenerationOptions defaults, ChatTemplate template, GPTConfig config, Tokenizer tokenizer)
    {
        var prompt = new ChatPrompt(template, tokenizer);
        var settings = prompt.WithEnds(Settings(options, defaults));
        settings.Validate(config.VocabSize);

        var system = new List<string>();
        var turns = new List<ConversationTurn>();
        if (options?.Instructions is { Length: > 0 } instructions) system.Add(instructions);
        foreach (var message in messages)
        {
            var text = TextOf(message);
            if (message.Role == ChatRole.System) system.Add(text);
            else turns.Add(new ConversationTurn(message.Role, text));
        }

        if (turns.Count == 0 && system.Count == 0) throw new ArgumentException("There are no messages; at least one is needed.", nameof(messages));
        var room = Math.Min(settings.MaxNewTokens, config.BlockSize / 2); // for the answer
        return new ChatRequest(prompt.Encode(system, turns, config.BlockSize - room), settings);
    }

    /// <summary>Refuses what this client can never do.</summary>
    /// <param name="options">The request's.</param>
    /// <param name="modelId">The client's model, where it has a name.</param>
    public static void RefuseWhatCannotBeDone(ChatOptions options, string? modelId)
    {
        if (options.Tools is { Count: > 0 } && options.ToolMode is not NoneChatToolMode)
            throw Refusal("Tools", $"has {options.Tools.Count} tools, and GPT-2 cannot call any: leave it empty");
        if (options.ResponseFormat is not null and not ChatResponseFormatText)
            throw Refusal("ResponseFormat", "asks for JSON, which this client cannot promise: use ChatResponseFormat.Text");
        if (options.ConversationId is not null)
            throw Refusal("ConversationId", "is set, and this client keeps no conversations: send all messages each time");
        if (options.ContinuationToken is not null)
            throw Refusal("ContinuationToken", "is set, and this client gives none: an answer that was broken off is asked for again");
        if (options.ModelId is { } asked && modelId is not null && asked != modelId)
            throw Refusal("ModelId", $"is '{asked}', and this client has '{modelId}' only");
    }

    private static GenerationOptions Settings(ChatOptions? options, GenerationOptions defaults) => options is null ? defaults : defaults with
    {
        MaxNewTokens = options.MaxOutputTokens ?? defaults.MaxNewTokens,
        Temperature = Exact(options.Temperature) ?? defaults.Temperature,
        TopP = Exact(options.TopP) ?? defaults.TopP,
        TopK = options.TopK ?? defaults.TopK,
        FrequencyPenalty = Exact(options.FrequencyPenalty) ?? defaults.FrequencyPenalty,
        PresencePenalty = Exact(options.PresencePenalty) ?? defaults.PresencePenalty,
        Seed = options.Seed ?? defaults.Seed,
        StopStrings = [.. defaults.StopStrings, .. options.StopSequences ?? []],
    };

    /// <summary>0.8f as 0.8, not as 0.800000012: what GenerationOptions would have been given.</summary>
    private static double? Exact(float? value) =>
        value is { } number ? double.Parse(number.ToString("R", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture) : null;

    private static string TextOf(ChatMessage message)
    {
        if (message.Role != ChatRole.System && message.Role != ChatRole.User && message.Role != ChatRole.Assistant)
            throw new ArgumentException($"A message has the role '{message.Role}'; this client knows system, user and assistant.");
        var other = message.Contents.FirstOrDefault(content => content is not (TextContent or TextReasoningContent or UsageContent));
        return other is null ? message.Text : throw new ArgumentException(
            $"A message of the {message.Role} has {other.GetType().Name}; GPT-2 reads text only.");
    }

    private static ArgumentException Refusal(string option, string what) => new($"ChatOptions.{option} {what}.");
}
