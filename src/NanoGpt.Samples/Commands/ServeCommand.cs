// An OpenAI-compatible endpoint and a small page over a model, for programs and people on this machine.

using System.Net;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using NanoGpt.Samples.CommandLine;
using NanoGpt.Samples.Serving;
using NanoGpt.Samples.Terminal;

namespace NanoGpt.Samples.Commands;

internal sealed record ServeOptions
{
    public ModelOptions Source { get; init; } = new();

    /// <summary>The model's name for clients, of which other names get status 404; by default that of its folder or of the Hub.</summary>
    public string? ServedModelName { get; init; }

    /// <summary>How turns of chats are marked: nanogpt (human and bot), dialogpt (end-of-text tokens), plain (not at all).</summary>
    public ChatForm Template { get; init; } = ChatForm.NanoGpt;

    /// <summary>Address to listen on; 0.0.0.0 lets other machines in.</summary>
    public string Host { get; init; } = "127.0.0.1";

    /// <summary>Port to listen on; 0 takes a free one.</summary>
    public int Port { get; init; } = 8000;

    /// <summary>Key that clients must send; better in the variable NANOGPT_API_KEY, which other users of the machine don't see.</summary>
    public string? ApiKey { get; init; }

    /// <summary>New tokens that one request may ask for.</summary>
    public int MaxTokens { get; init; } = 2048;

    /// <summary>Size of a request in KB.</summary>
    public int MaxBodyKilobytes { get; init; } = 256;

    /// <summary>Texts that are generated at the same time.</summary>
    public int MaxConcurrent { get; init; } = 8;

    /// <summary>Requests that wait for a place; further ones are refused with status 429.</summary>
    public int MaxQueued { get; init; } = 64;
}

internal sealed class ServeCommand : Command<ServeOptions>
{
    public override string Name => "serve";

    public override string Summary => "an OpenAI-compatible server with a small page";

    public override IReadOnlyList<string> Examples => ["serve --out_dir=out", "serve --init_from=gpt2 --dtype=int8 --port=9000"];

    public override string Remarks => "Paths: / (page), /v1/models, /v1/completions, /v1/chat/completions,\n/v1/embeddings. Ctrl-C ends it.";

    protected override async Task RunAsync(ServeOptions options, Session session)
    {
        if (!IPAddress.TryParse(options.Host == "localhost" ? "127.0.0.1" : options.Host, out var address))
            throw new UsageException($"--host={options.Host}: must be an address such as 127.0.0.1 or 0.0.0.0.");
        CheckRange("port", options.Port, least: 0, most: IPEndPoint.MaxPort);
        CheckRange("max_tokens", options.MaxTokens, least: 1);
        CheckRange("max_body_kilobytes", options.MaxBodyKilobytes, least: 1);
        var key = options.ApiKey ?? Environment.GetEnvironmentVariable("NANOGPT_API_KEY");
        if (!IPAddress.IsLoopback(address) && string.IsNullOrEmpty(key))
            session.Status.Line(session.Status.Paint(Ink.Yellow, "Anyone who reaches this machine can use the server: no key is set (NANOGPT_API_KEY)."));

        using var gpt = await options.Source.OpenAsync(session);
        using var generator = new Generator(gpt, new GeneratorLimits { MaxConcurrent = options.MaxConcurrent, MaxQueued = options.MaxQueued });
        var limits = new ServerLimits(options.MaxTokens, options.MaxBodyKilobytes * 1000L);
        var settings = new ServerSettings(address, options.Port, options.ServedModelName ?? options.Source.ModelName, ChatCommand.TemplateOf(options.Template), string.IsNullOrEmpty(key) ? null : key, limits);
        await using var server = OpenAiServer.Build(gpt, generator, settings);

        await server.StartAsync(session.Stop.Token);
        var listening = server.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!;
        session.Output.Line($"listening on {listening.Addresses.First()}");
        await Task.Delay(Timeout.Infinite, session.Stop.Token).ContinueWith(_ => { }, TaskScheduler.Default);
        await server.StopAsync();
    }

    private static void CheckRange(string name, int value, int least, int most = int.MaxValue)
    {
        if (value < least || value > most)
            throw new UsageException($"--{name}={value}: must be {(most == int.MaxValue ? $"at least {least}" : $"from {least} to {most}")}.");
    }
}
