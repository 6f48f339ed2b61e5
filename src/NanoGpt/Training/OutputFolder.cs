// The folder of a run: made if missing, held by one process at a time, and cleared for a run that begins where another has
// been. Nothing of an earlier run is lost: it goes to previous/, in place of the run before it.

namespace NanoGpt.Training;

/// <summary>Holds an output folder for one run.</summary>
internal sealed class OutputFolder : IDisposable
{
    public const string ReportFile = "report.html";

    private const string LockFile = ".lock";
    private const string Previous = "previous";

    private static readonly string[] OfARun =
        ["ckpt-*", CheckpointStore.Best, "latest", "metrics.*", RunFiles.LogFile, ReportFile, "tensorboard"];

    private readonly FileStream? _lock;

    /// <param name="path">The folder.</param>
    /// <param name="isWritten">Whether the run leaves anything; one that only evaluates makes no folder and disturbs nobody.</param>
    /// <exception cref="CheckpointException">The folder cannot be written, or another run has it.</exception>
    public OutputFolder(string path, bool isWritten = true)
    {
        FullPath = Path.GetFullPath(path);
        if (!isWritten) return;
        try
        {
            Directory.CreateDirectory(FullPath);
            _lock = new FileStream(
                Path.Combine(FullPath, LockFile), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1, FileOptions.DeleteOnClose);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Unusable(FullPath, e);
        }
    }

    /// <summary>The exception for a folder in which nothing can be written.</summary>
    public static CheckpointException Unusable(string path, Exception cause) => new(
        $"{path}: the output folder cannot be used: {cause.Message} It must be writable, have room and not be in use by another run; choose another out_dir.", cause);

    public string FullPath { get; }

    /// <summary>Moves what an earlier run left to previous/, whose content is deleted. True if there was anything.</summary>
    public bool SetEarlierRunAside()
    {
        var found = OfARun.SelectMany(pattern => Directory.EnumerateFileSystemEntries(FullPath, pattern)).ToList();
        if (!found.Exists(entry => Path.GetFileName(entry).StartsWith("ckpt-", StringComparison.Ordinal))) return false;

        var previous = Path.Combine(FullPath, Previous);
        if (Directory.Exists(previous)) Directory.Delete(previous, recursive: true);
        Directory.CreateDirectory(previous);
        foreach (var entry in found) Directory.Move(entry, Path.Combine(previous, Path.GetFileName(entry)));
        return true;
    }

    public void Dispose() => _lock?.Dispose();
}
