// A GPT behind the interface that .NET uses for chat models. It keeps no conversation: each call brings all of it. The
// Generator recognizes what it has computed before, so a next turn costs its own tokens only.

using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;

namespace NanoGpt.Chat;

/// <summary>Answers messages. Safe for concurrent use.</summary>
internal sealed class GPTChatClient : IChatClient
{
    private readonly GPT _gpt;
    private readonly ChatClientOptions _settings;
    private readonly Generator _generator;
    private readonly ChatClientMetadata _metadata;

    public GPTChatClient(GPT gpt, ChatClientOptions settings)
    {
        (_gpt, _settings) = (gpt, settings);
        _generator = settings.Generator ?? new Generator(gpt);
        _metadata = new ChatClientMetadata("nanogpt", providerUri: null, settings.ModelId);
    }

    public Task<ChatResponse> GetResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
        GetStreamingResponseAsync(messages, options, cancellationToken).ToChatResponseAsync(cancellationToken);

    public IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        var defaults = _settings.Generation;
        if (options is not null)
        {
            ChatRequest.RefuseWhatCannotBeDone(options, _settings.ModelId);
            defaults = options.RawRepresentationFactory?.Invoke(this) as GenerationOptions ?? defaults;
        }

        return AnswerAsync(ChatRequest.Read(messages, options, defaults, _settings.Template, _gpt.Config, _gpt.Tokenizer), cancellationToken);
    }

    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        if (serviceKey is not null) return null;
        return new object[] { _metadata, _gpt, _generator, _settings.Template, this }.FirstOrDefault(serviceType.IsInstanceOfType);
    }

    public void Dispose()
    {
        if (_settings.Generator is null) _generator.Dispose();
    }

    private async IAsyncEnumerable<ChatResponseUpdate> AnswerAsync(
        ChatRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var (id, created) = ($"chatcmpl-{Guid.NewGuid():N}", DateTimeOffset.UtcNow);
        var (reused, count, end) = (0, 0, FinishReason.Length);
        var showsAll = request.Options.LogProbabilities is not null;
        var tokens = _generator.StreamTokensAsync(request.Ids, request.Options, promptTokens => reused = promptTokens, cancellationToken);
        await foreach (var token in tokens.ConfigureAwait(false))
        {
            count++;
            end = token.FinishReason ?? end;
            if (token.Text.Length > 0 || showsAll) yield return Update(new TextContent(token.Text), token);
        }

        var usage = new UsageDetails
        {
            InputTokenCount = request.Ids.Count, CachedInputTokenCount = reused, OutputTokenCount = count, TotalTokenCount = request.Ids.Count + count,
        };
        var last = Update(new UsageContent(usage));
        last.FinishReason = end == FinishReason.Length ? ChatFinishReason.Length : ChatFinishReason.Stop;
        yield return last;

        ChatResponseUpdate Update(AIContent content, GeneratedToken? token = null) => new(ChatRole.Assistant, [content])
        {
            ResponseId = id, MessageId = id, ModelId = _settings.ModelId, CreatedAt = created, RawRepresentation = token,
        };
    }
}
