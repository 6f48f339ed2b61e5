// POST /v1/chat/completions: answers conversations, whole or streamed. The conversation itself is the library's IChatClient.

using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.AI;
using NanoGpt.Tokenization;

namespace NanoGpt.Samples.Serving;

internal sealed class ChatEndpoint(IChatClient client, Tokenizer tokenizer, string model, ServerLimits limits)
{
    private const int DefaultMaxTokens = 256;

    public async Task HandleAsync(HttpContext context)
    {
        var request = await RequestReader.ReadAsync<ChatCompletionRequest>(context, model);
        var messages = RequestReader.Messages(request.Messages);
        if (request.Tools is { Count: > 0 }) throw ApiException.BadRequest("tools: this model cannot call any.", "tools");
        if (request.ResponseFormat is { Type: not "text" } format)
            throw ApiException.BadRequest($"response_format is '{format.Type}'; this server promises 'text' only.", "response_format");
        if (request.TopLogprobs is < 0 or > ServerLimits.MaxLogprobs)
            throw ApiException.BadRequest($"top_logprobs is {request.TopLogprobs}, must be from 0 to {ServerLimits.MaxLogprobs}.", "top_logprobs");
        if (request.TopLogprobs is not null && request.Logprobs != true)
            throw ApiException.BadRequest("top_logprobs needs logprobs to be true.", "top_logprobs");
        var options = RequestReader.Options(request, limits, texts: 1, DefaultMaxTokens) with
        {
            LogProbabilities = request.Logprobs == true ? request.TopLogprobs ?? 0 : null,
        };

        if (request.Stream == true)
            await StreamAsync(context, request, messages, options);
        else
            await context.Response.WriteAsJsonAsync(await CompleteAsync(messages, options, context.RequestAborted), Wire.Json);
    }

    private async Task<ChatCompletion> CompleteAsync(IReadOnlyList<ChatMessage> messages, GenerationOptions options, CancellationToken cancellation)
    {
        var answers = await Task.WhenAll(Enumerable.Range(0, options.ReturnSequences).Select(i =>
            client.GetStreamingResponseAsync(messages, Ask(options, i), cancellation).ToListAsync(cancellation).AsTask()));
        var choices = answers.Select((updates, index) =>
        {
            var tokens = updates.Select(update => update.RawRepresentation).OfType<GeneratedToken>();
            var logprobs = options.LogProbabilities is null ? null : new ChatLogprobs([.. tokens.Select(Logprob)]);
            return new ChatChoice(index, logprobs)
            {
                Message = new ChatAnswer { Role = "assistant", Content = string.Concat(updates) }, FinishReason = updates[^1].FinishReason?.Value,
            };
        }).ToList();
        var usages = answers.Select(updates => updates.ToChatResponse().Usage!).ToList();
        return Answer("chat.completion", NewId(), choices) with { Usage = Count(usages) };
    }

    private async Task StreamAsync(HttpContext context, ChatCompletionRequest request, IReadOnlyList<ChatMessage> messages, GenerationOptions options)
    {
        var events = new EventWriter(context);
        var (id, isFirst) = (NewId(), true);
        UsageDetails? usage = null;
        await foreach (var update in client.GetStreamingResponseAsync(messages, Ask(options, 0), context.RequestAborted))
        {
            usage = update.Contents.OfType<UsageContent>().FirstOrDefault()?.Details ?? usage;
            var token = options.LogProbabilities is null ? null : update.RawRepresentation as GeneratedToken;
            var delta = new ChatAnswer { Role = isFirst ? "assistant" : null, Content = update.FinishReason is null ? update.Text : null };
            await events.WriteAsync(Answer("chat.completion.chunk", id,
                [new ChatChoice(0, token is null ? null : new ChatLogprobs([Logprob(token)])) { Delta = delta, FinishReason = update.FinishReason?.Value }]));
            isFirst = false;
        }

        if (request.WantsUsage) await events.WriteAsync(Answer("chat.completion.chunk", id, []) with { Usage = Count([usage!]) });
        await events.DoneAsync();
    }

    /// <summary>The options as the client takes them whole; each of several answers has draws of its own.</summary>
    private static ChatOptions Ask(GenerationOptions options, int index) =>
        new() { RawRepresentationFactory = _ => options with { ReturnSequences = 1, Seed = options.Seed + index } };

    private ChatCompletion Answer(string kind, string id, IReadOnlyList<ChatChoice> choices) =>
        new(id, kind, DateTimeOffset.UtcNow.ToUnixTimeSeconds(), model, choices);

    private TokenLogprob Logprob(GeneratedToken token) => Entry(token.Id, token.LogProbability!.Value) with
    {
        TopLogprobs = [.. token.Top.Select(other => Entry(other.Id, other.LogProbability))],
    };

    private TokenLogprob Entry(int id, double logprob) => new(tokenizer.Decode([id]), logprob, [.. tokenizer.GetBytes(id).ToArray().Select(b => (int)b)]);

    private static Usage Count(List<UsageDetails> usages) => new((int)usages[0].InputTokenCount!, (int)usages.Sum(usage => usage.OutputTokenCount)!)
    {
        PromptTokensDetails = new PromptDetails((int)usages[0].CachedInputTokenCount!),
    };

    private static string NewId() => $"chatcmpl-{Guid.NewGuid():N}";
}
