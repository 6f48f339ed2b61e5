// POST /v1/embeddings: vectors of texts. OpenAI's own clients ask for them as base64, which is a third of the size.

using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.AI;

namespace NanoGpt.Samples.Serving;

internal sealed class EmbeddingEndpoint(IEmbeddingGenerator<string, Embedding<float>> generator, string model)
{
    private const int MaxTexts = 256;

    public async Task HandleAsync(HttpContext context)
    {
        var request = await RequestReader.ReadAsync<EmbeddingRequest>(context, model);
        var texts = RequestReader.Strings(request.Input, "input", MaxTexts);
        if (texts.Count == 0) throw ApiException.BadRequest("input is missing.", "input");
        if (request.EncodingFormat is not (null or "float" or "base64"))
            throw ApiException.BadRequest($"encoding_format is '{request.EncodingFormat}', must be 'float' or 'base64'.", "encoding_format");

        var embeddings = await generator.GenerateAsync(texts, new() { Dimensions = request.Dimensions }, context.RequestAborted);
        object Encoded(Embedding<float> embedding) => request.EncodingFormat == "base64"
            ? Convert.ToBase64String(MemoryMarshal.AsBytes(embedding.Vector.Span))
            : embedding.Vector.ToArray();
        var entries = embeddings.Select((embedding, index) => new EmbeddingEntry("embedding", index, Encoded(embedding))).ToList();
        var tokens = (int)embeddings.Usage!.InputTokenCount!;
        await context.Response.WriteAsJsonAsync(new EmbeddingList("list", entries, model, new Usage(tokens, 0)), Wire.Json);
    }
}
