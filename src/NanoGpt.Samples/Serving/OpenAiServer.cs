// The web server: limits, key, errors, and which path goes where. What the paths do is in the endpoints.

using System.Net;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using NanoGpt.Chat;
using NanoGpt.Samples.CommandLine;

namespace NanoGpt.Samples.Serving;

/// <param name="Address">Where to listen.</param>
/// <param name="Port">0 for any free one.</param>
/// <param name="Model">The model's name in answers.</param>
/// <param name="Template">How the turns of a conversation are marked.</param>
/// <param name="ApiKey">What clients must send as a bearer token; null for nobody is asked.</param>
/// <param name="Limits">What one client may ask.</param>
internal sealed record ServerSettings(IPAddress Address, int Port, string Model, ChatTemplate Template, string? ApiKey, ServerLimits Limits);

internal static class OpenAiServer
{
    /// <summary>A server that is not started yet. The model and the generator stay the caller's.</summary>
    public static WebApplication Build(GPT gpt, Generator generator, ServerSettings settings)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = settings.Limits.MaxBodyBytes;
            kestrel.Listen(settings.Address, settings.Port, listen => listen.Protocols = HttpProtocols.Http1);
        });

        var app = builder.Build();
        app.Use(AnswerErrors);
        if (IPAddress.IsLoopback(settings.Address)) app.Use(RefuseOtherHosts);
        if (settings.ApiKey is { } key) app.Use((context, next) => RequireKey(context, next, key));
        MapPage(app);
        MapModels(app, settings.Model);
        var chat = gpt.AsChatClient(new() { Template = settings.Template, ModelId = settings.Model, Generator = generator });
        var embeddings = gpt.AsEmbeddingGenerator(modelId: settings.Model, generator: generator);
        app.MapPost("/v1/completions", new CompletionEndpoint(generator, gpt.Tokenizer, settings.Model, settings.Limits).HandleAsync);
        app.MapPost("/v1/chat/completions", new ChatEndpoint(chat, gpt.Tokenizer, settings.Model, settings.Limits).HandleAsync);
        app.MapPost("/v1/embeddings", new EmbeddingEndpoint(embeddings, settings.Model).HandleAsync);
        app.MapFallback(context => throw new ApiException(StatusCodes.Status404NotFound, $"There is no {context.Request.Method} {context.Request.Path} here."));
        return app;
    }

    private static async Task AnswerErrors(HttpContext context, RequestDelegate next)
    {
        try
        {
            await next(context);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The client has gone: nobody is left to tell.
        }
        catch (Exception e) when (Describe(e) is { } error)
        {
            var answer = new ErrorAnswer(new ErrorBody(e is ArgumentException ? ErrorLine.For(e) : e.Message, error.Type)
            {
                Param = (e as ApiException)?.Parameter, Code = error.Code,
            });
            if (context.Response.HasStarted)
            {
                await new EventWriter(context).WriteAsync(answer);
                return;
            }

            context.Response.StatusCode = error.Status;
            if (error.Status == StatusCodes.Status429TooManyRequests) context.Response.Headers.RetryAfter = "1";
            await context.Response.WriteAsJsonAsync(answer, Wire.Json);
        }
    }

    // What is not listed is a bug: the server answers 500 and says nothing of its inside.
    private static (int Status, string Type, string? Code)? Describe(Exception e) => e switch
    {
        ApiException refused => (refused.Status, "invalid_request_error", refused.Code),
        Microsoft.AspNetCore.Http.BadHttpRequestException bad => (bad.StatusCode, "invalid_request_error", null),
        GeneratorBusyException => (StatusCodes.Status429TooManyRequests, "rate_limit_error", "rate_limit_exceeded"),
        ArgumentException => (StatusCodes.Status400BadRequest, "invalid_request_error", null),
        NanoGptException => (StatusCodes.Status500InternalServerError, "server_error", null),
        _ => null,
    };

    // A page elsewhere can make a browser resolve its own name to this machine; it cannot make it send our name.
    private static Task RefuseOtherHosts(HttpContext context, RequestDelegate next)
    {
        var host = context.Request.Host.Host;
        return host is "localhost" or "127.0.0.1" or "[::1]"
            ? next(context)
            : throw new ApiException(StatusCodes.Status403Forbidden, $"This server answers to localhost only, not to '{host}'.");
    }

    private static Task RequireKey(HttpContext context, RequestDelegate next, string key)
    {
        if (!context.Request.Path.StartsWithSegments("/v1", StringComparison.Ordinal)) return next(context);
        return CryptographicOperations.FixedTimeEquals(Digest(context.Request.Headers.Authorization.ToString()), Digest("Bearer " + key))
            ? next(context)
            : throw new ApiException(StatusCodes.Status401Unauthorized, "The key is missing or wrong; send it as 'Authorization: Bearer KEY'.", code: "invalid_api_key");
    }

    // Digests are all of one length, so that the time of comparing tells not even that of the key.
    private static byte[] Digest(string text) => SHA256.HashData(Encoding.UTF8.GetBytes(text));

    private static void MapPage(WebApplication app)
    {
        using var stream = typeof(OpenAiServer).Assembly.GetManifestResourceStream("page.html")!;
        var page = new StreamReader(stream).ReadToEnd();
        app.MapGet("/", context =>
        {
            context.Response.ContentType = "text/html; charset=utf-8";
            context.Response.Headers.ContentSecurityPolicy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'";
            context.Response.Headers.XContentTypeOptions = "nosniff";
            return context.Response.WriteAsync(page);
        });
    }

    private static void MapModels(WebApplication app, string model)
    {
        var entry = new ModelEntry(model, "model", DateTimeOffset.UtcNow.ToUnixTimeSeconds(), "nanogpt");
        app.MapGet("/v1/models", context => context.Response.WriteAsJsonAsync(new ModelList("list", [entry]), Wire.Json));
        app.MapGet("/v1/models/{**id}", (HttpContext context, string id) => id == model
            ? context.Response.WriteAsJsonAsync(entry, Wire.Json)
            : throw ApiException.NoSuchModel(id, model));
    }

    /// <summary>Leaves Ctrl-C to the program.</summary>
    private sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
