// Runs a program as a user's shell would, with a limit in time, and gives back what it wrote.

using System.Diagnostics;
using System.Text;

namespace NanoGpt.EndToEnd.Package;

internal static class Shell
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(8); // a restore may download; the machine may be busy

    /// <summary>Runs <c>dotnet</c> so that no build server outlives it, and fails the test with its output where it fails.</summary>
    public static async Task<string> Dotnet(string folder, params string[] arguments)
    {
        var isBuild = arguments[0] is "build" or "pack" or "publish";
        string[] all = isBuild ? [.. arguments, "--nologo", "-nodeReuse:false", "-p:UseSharedCompilation=false"] : arguments;
        var (exitCode, output) = await Run(folder, "dotnet", all);
        Assert.True(exitCode == 0, $"dotnet {string.Join(' ', all)} ended with {exitCode}:\n{output}");
        return output;
    }

    public static async Task<(int ExitCode, string Output)> Run(
        string folder, string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment = null)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };

        // A test run inside a build must not lend its MSBuild to the builds that it starts.
        foreach (var name in start.Environment.Keys.Where(n => n.StartsWith("MSBUILD", StringComparison.OrdinalIgnoreCase)).ToList())
            start.Environment.Remove(name);
        foreach (var (name, value) in environment ?? new Dictionary<string, string>()) start.Environment[name] = value;

        var output = new StringBuilder();
        using var process = new Process { StartInfo = start };
        process.OutputDataReceived += Append;
        process.ErrorDataReceived += Append;
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(Limit);
        try
        {
            await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"{program} {string.Join(' ', start.ArgumentList)} took more than {Limit}:\n{output}");
        }

        return (process.ExitCode, output.ToString());

        void Append(object sender, DataReceivedEventArgs e)
        {
            lock (output) output.AppendLine(e.Data);
        }
    }
}
