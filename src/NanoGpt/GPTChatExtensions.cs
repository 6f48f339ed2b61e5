// A GPT behind the interfaces of Microsoft.Extensions.AI. What is behind them is in Chat/.

using Microsoft.Extensions.AI;
using NanoGpt.Chat;

namespace NanoGpt;

/// <summary>Makes a <see cref="GPT"/> usable where .NET programs expect a chat model or an embedding model.</summary>
public static class GPTChatExtensions
{
    /// <summary>A chat client over this model, on the CPU, without libtorch.</summary>
    /// <remarks>
    /// It honours Instructions, Temperature, TopP, TopK, Seed, MaxOutputTokens, StopSequences, both penalties, and a
    /// <see cref="GenerationOptions"/> from RawRepresentationFactory for everything else. What GPT-2 cannot do (tools, JSON,
    /// pictures, conversations kept on a server) is refused with an <see cref="ArgumentException"/>. Each update carries its
    /// <see cref="GeneratedToken"/> as RawRepresentation. Of a conversation longer than the context the oldest turns are left
    /// out; instructions and system messages stay. Safe for concurrent use. Dispose it before the model, which stays yours.
    /// </remarks>
    /// <param name="gpt">The model. It needs a vocabulary.</param>
    /// <param name="options">Null for the defaults: the transcript of nanoGPT's chat script.</param>
    public static IChatClient AsChatClient(this GPT gpt, ChatClientOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(gpt);
        return new GPTChatClient(gpt, options ?? new ChatClientOptions());
    }

    /// <summary>An embedding generator over this model: hidden states after the last layer norm, on the CPU, without libtorch.</summary>
    /// <remarks>
    /// Texts of 1 token up to the context's length; others are refused with an <see cref="ArgumentException"/>, as is a number of
    /// Dimensions that is not the model's. Safe for concurrent use. Dispose it before the model, which stays yours.
    /// </remarks>
    /// <param name="gpt">The model. It needs a vocabulary.</param>
    /// <param name="pooling">How one vector is made of those of all tokens.</param>
    /// <param name="modelId">The model's name in answers; null for none.</param>
    /// <param name="generator">What computes, shared with others; not disposed. Null for one of its own.</param>
    public static IEmbeddingGenerator<string, Embedding<float>> AsEmbeddingGenerator(
        this GPT gpt, EmbeddingPooling pooling = EmbeddingPooling.Mean, string? modelId = null, Generator? generator = null)
    {
        ArgumentNullException.ThrowIfNull(gpt);
        return new GPTEmbeddingGenerator(gpt, pooling, modelId, generator);
    }
}
