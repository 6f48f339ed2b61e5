// Runs the console program as a user does: a process of its own, in a folder of its own. Checks nothing itself.

using System.Diagnostics;

namespace NanoGpt.EndToEnd.Samples;

/// <summary>What one run of the program wrote, and how it ended.</summary>
internal sealed record Outcome(int ExitCode, string Output, string Errors)
{
    public void MustSucceed() => Assert.True(ExitCode == 0, $"exit code {ExitCode}\n{Output}\n{Errors}");
}

/// <summary>A new empty folder in which the program runs; deleted at the end.</summary>
internal sealed class Nanogpt : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(5);

    public string Folder { get; } = Directory.CreateTempSubdirectory("nanogpt-").FullName;

    /// <summary>Variables of the program's environment, beside those that keep it off the network.</summary>
    public Dictionary<string, string> Environment { get; init; } = [];

    public static string Program => Path.Combine(AppContext.BaseDirectory, "NanoGpt.Samples.dll");

    public string PathOf(string file) => Path.Combine(Folder, file);

    public void Dispose() => Directory.Delete(Folder, recursive: true);

    public Process Start(params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", [Program, .. arguments])
        {
            WorkingDirectory = Folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["HF_HUB_OFFLINE"] = "1";
        start.Environment["HF_HOME"] = PathOf("huggingface");
        foreach (var (name, value) in Environment) start.Environment[name] = value;
        return Process.Start(start)!;
    }

    public Outcome Run(params string[] arguments) => RunWithInput("", arguments);

    public Outcome RunWithInput(string input, params string[] arguments)
    {
        using var process = Start(arguments);
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        process.StandardInput.Write(input);
        process.StandardInput.Close();
        if (process.WaitForExit(Limit)) return new Outcome(process.ExitCode, output.Result, errors.Result);
        process.Kill(entireProcessTree: true);
        throw new TimeoutException($"nanogpt {string.Join(' ', arguments)} did not end within {Limit}.");
    }
}
