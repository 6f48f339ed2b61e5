// How a chat client answers where a request doesn't say.

namespace NanoGpt.Chat;

/// <summary>Options of <see cref="GPTChatExtensions.AsChatClient"/>. Immutable; the defaults are those of nanoGPT's chat script.</summary>
public sealed record ChatClientOptions
{
    /// <summary>The form of conversation that the model was trained on.</summary>
    /// <value>Default <see cref="ChatTemplate.NanoGpt"/>.</value>
    public ChatTemplate Template { get; init; } = ChatTemplate.NanoGpt;

    /// <summary>How text is generated where a request's <see cref="Microsoft.Extensions.AI.ChatOptions"/> say nothing.</summary>
    /// <value>Default: 100 tokens, temperature 0.8, top-k 5, as in nanoGPT's chat script.</value>
    public GenerationOptions Generation { get; init; } = new() { MaxNewTokens = 100, Temperature = 0.8, TopK = 5 };

    /// <summary>The model's name in answers, and the only one that requests may ask for; null for none.</summary>
    /// <value>Default null.</value>
    public string? ModelId { get; init; }

    /// <summary>What generates, shared with others; the client doesn't dispose it. Null for one of the client's own.</summary>
    /// <value>Default null.</value>
    public Generator? Generator { get; init; }
}
