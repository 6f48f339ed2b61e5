// Server-sent events: each a JSON object, the last the word [DONE].

using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace NanoGpt.Samples.Serving;

/// <summary>Nothing is sent before the first event, so that a failure until then can still be an ordinary error answer.</summary>
internal sealed class EventWriter(HttpContext context)
{
    public async Task WriteAsync<T>(T value)
    {
        if (!context.Response.HasStarted)
        {
            context.Response.ContentType = "text/event-stream";
            context.Response.Headers.CacheControl = "no-store";
        }

        await context.Response.WriteAsync($"data: {JsonSerializer.Serialize(value, Wire.Json)}\n\n", context.RequestAborted);
        await context.Response.Body.FlushAsync(context.RequestAborted);
    }

    public Task DoneAsync() => context.Response.WriteAsync("data: [DONE]\n\n", context.RequestAborted);
}
