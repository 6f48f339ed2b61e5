// The serve command as a process of its own, on a free port.

using System.Diagnostics;

namespace NanoGpt.EndToEnd.Samples;

/// <summary>A server over a tiny model; one for all tests of a class.</summary>
public sealed class RunningServer : IDisposable
{
    public const string Key = "a key";
    private readonly Nanogpt nanogpt = new();
    private readonly Process process;

    public RunningServer() : this("--max_tokens=100", "--max_body_kilobytes=4")
    {
    }

    internal RunningServer(params string[] limits)
    {
        Model = TinyModel.Write(nanogpt.PathOf("tiny"));
        process = nanogpt.Start(["serve", "--init_from=tiny", "--port=0", $"--api_key={Key}", "--template=plain", .. limits]);
        var line = process.StandardOutput.ReadLine();
        Assert.StartsWith("listening on http://127.0.0.1:", line, StringComparison.Ordinal);
        Address = new Uri(line!["listening on ".Length..]);
    }

    public string Model { get; }

    public Uri Address { get; }

    public void Dispose()
    {
        process.Kill();
        process.WaitForExit();
        process.Dispose();
        nanogpt.Dispose();
    }
}
