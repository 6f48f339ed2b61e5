// POST /v1/completions: continues texts, whole or streamed.

using Microsoft.AspNetCore.Http;
using NanoGpt.Tokenization;

namespace NanoGpt.Samples.Serving;

internal sealed class CompletionEndpoint(Generator generator, Tokenizer tokenizer, string model, ServerLimits limits)
{
    private const int MaxPrompts = 64, DefaultMaxTokens = 16; // the latter is OpenAI's

    public async Task HandleAsync(HttpContext context)
    {
        var request = await RequestReader.ReadAsync<CompletionRequest>(context, model);
        var prompts = RequestReader.Strings(request.Prompt, "prompt", MaxPrompts);
        if (prompts.Count == 0) throw ApiException.BadRequest("prompt is missing.", "prompt");
        if (request.Logprobs is < 0 or > ServerLimits.MaxLogprobs)
            throw ApiException.BadRequest($"logprobs is {request.Logprobs}, must be from 0 to {ServerLimits.MaxLogprobs}.", "logprobs");
        var options = RequestReader.Options(request, limits, prompts.Count, DefaultMaxTokens) with { LogProbabilities = request.Logprobs };

        if (request.Stream == true)
            await StreamAsync(context, request, prompts[0], options);
        else
            await context.Response.WriteAsJsonAsync(await CompleteAsync(request, prompts, options, context.RequestAborted), Wire.Json);
    }

    private async Task<Completion> CompleteAsync(
        CompletionRequest request, IReadOnlyList<string> prompts, GenerationOptions options, CancellationToken cancellation)
    {
        var results = await Task.WhenAll(prompts.Select(prompt => generator.GenerateResultsAsync(prompt, options, cancellation)));
        var choices = results.SelectMany((texts, p) => texts.Select(text => (Prompt: prompts[p], Text: text))).Select((item, index) =>
        {
            var prefix = request.Echo == true ? item.Prompt : "";
            var logprobs = request.Logprobs is null ? null : Logprobs(item.Text.Tokens, offset: prefix.Length);
            return new CompletionChoice(index, prefix + item.Text.Text, logprobs) { FinishReason = Reason(item.Text.FinishReason) };
        }).ToList();
        var usage = new Usage(results.Sum(texts => texts[0].PromptTokens), results.Sum(texts => texts.Sum(text => text.Tokens.Count)));
        return Answer(NewId(), choices) with { Usage = usage };
    }

    private async Task StreamAsync(HttpContext context, CompletionRequest request, string prompt, GenerationOptions options)
    {
        var events = new EventWriter(context);
        var (id, offset, count) = (NewId(), 0, 0);
        if (request.Echo == true)
        {
            await events.WriteAsync(Answer(id, [new CompletionChoice(0, prompt)]));
            offset = prompt.Length;
        }

        await foreach (var token in generator.StreamTokensAsync(prompt, options, context.RequestAborted))
        {
            var logprobs = request.Logprobs is null ? null : Logprobs([token], offset);
            await events.WriteAsync(Answer(id, [new CompletionChoice(0, token.Text, logprobs) { FinishReason = Reason(token.FinishReason) }]));
            offset += token.Text.Length;
            count++;
        }

        if (request.WantsUsage) await events.WriteAsync(Answer(id, []) with { Usage = new Usage(tokenizer.Encode(prompt).Count, count) });
        await events.DoneAsync();
    }

    private Completion Answer(string id, IReadOnlyList<CompletionChoice> choices) =>
        new(id, "text_completion", DateTimeOffset.UtcNow.ToUnixTimeSeconds(), model, choices);

    private CompletionLogprobs Logprobs(IReadOnlyList<GeneratedToken> tokens, int offset)
    {
        var offsets = new List<int>();
        foreach (var token in tokens)
        {
            offsets.Add(offset);
            offset += token.Text.Length;
        }

        return new CompletionLogprobs(
            [.. tokens.Select(token => token.Text)], [.. tokens.Select(token => token.LogProbability)], [.. tokens.Select(Top)], offsets);
    }

    // Several ids may decode to the same text (parts of characters): the likeliest one stands for them.
    private Dictionary<string, double> Top(GeneratedToken token)
    {
        var top = new Dictionary<string, double>();
        foreach (var (id, logprob) in token.Top) top.TryAdd(tokenizer.Decode([id]), logprob);
        return top;
    }

    private static string? Reason(FinishReason? reason) => reason switch
    {
        null => null,
        FinishReason.Length => "length",
        _ => "stop",
    };

    private static string NewId() => $"cmpl-{Guid.NewGuid():N}";
}
