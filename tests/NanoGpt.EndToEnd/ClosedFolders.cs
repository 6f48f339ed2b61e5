// Folders that cannot be written. Root can write them all the same: a test that finds itself to be root is done by a second
// process, which is root without that right (setpriv of util-linux).

using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace NanoGpt.EndToEnd;

/// <summary>Folders in which nothing can be made or deleted, until this is disposed.</summary>
internal sealed class ClosedFolders : IDisposable
{
    private const UnixFileMode Closed = UnixFileMode.UserRead | UnixFileMode.UserExecute, Open = Closed | UnixFileMode.UserWrite;

    private readonly IReadOnlyList<string> _folders;

    public ClosedFolders(params IEnumerable<string> folders)
    {
        _folders = [.. folders];
        SetMode(Closed);
    }

    public void Dispose() => SetMode(Open);

    /// <summary>True where a second process has done the calling test, because this one can write everywhere.</summary>
    public static async Task<bool> IsTriedElsewhereAsync([CallerMemberName] string test = "")
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "rights of folders are another matter on Windows");
        if (KeepThisProcessOut()) return false;
        string[] command = ["--bounding-set", "-dac_override,-dac_read_search", "dotnet", typeof(ClosedFolders).Assembly.Location, "-noColor", "-method", $"*.{test}"];
        try
        {
            using var process = Process.Start(new ProcessStartInfo("setpriv", command) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            var (output, errors) = (process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken), process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken));
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
            var said = await output + await errors;
            Assert.SkipWhen(said.StartsWith("setpriv:", StringComparison.Ordinal), $"root's rights cannot be given up here: {said}");
            Assert.True(process.ExitCode == 0 && said.Contains("Total: 1, Errors: 0, Failed: 0, Skipped: 0", StringComparison.Ordinal), said);
            return true;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Assert.Skip("this is root, who can write everywhere, and there is no setpriv (util-linux)");
            throw;
        }
    }

    private void SetMode(UnixFileMode mode)
    {
        if (OperatingSystem.IsWindows()) throw new PlatformNotSupportedException();
        foreach (var folder in _folders) File.SetUnixFileMode(folder, mode);
    }

    private static bool KeepThisProcessOut()
    {
        var folder = Directory.CreateTempSubdirectory("nanogpt-closed-").FullName;
        try
        {
            using var _ = new ClosedFolders(folder);
            File.WriteAllText(Path.Combine(folder, "file"), "");
            return false;
        }
        catch (UnauthorizedAccessException)
        {
            return true;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
