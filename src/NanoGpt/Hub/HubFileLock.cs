// A lock between processes, Python's included: an open file that nobody else may open (flock on Unix, a sharing mode on
// Windows). The system releases it when its holder dies. The file stays, as deleting it would make two locks of one.

namespace NanoGpt.Hub;

/// <summary>Waiting for a lock file.</summary>
internal static class HubFileLock
{
    private const int SharingViolation = unchecked((int)0x80070020);
    private static readonly int[] WouldBlock = [11, 35]; // EWOULDBLOCK on Linux, on macOS and the BSDs

    /// <summary>Waits until the lock is ours. Disposing of the stream gives it back.</summary>
    /// <param name="path">The lock file; its folder exists.</param>
    /// <param name="time">Measures the pauses.</param>
    /// <param name="onWait">Called once if somebody else holds it.</param>
    /// <param name="cancellation">Ends the wait.</param>
    public static async Task<FileStream> AcquireAsync(string path, TimeProvider time, Action onWait, CancellationToken cancellation)
    {
        for (var tries = 0; ; tries++)
        {
            cancellation.ThrowIfCancellationRequested();
            if (TryAcquire(path) is { } held) return held;
            if (tries == 0) onWait();
            await Task.Delay(TimeSpan.FromMilliseconds(Math.Min(20 << Math.Min(tries, 3), 100)), time, cancellation).ConfigureAwait(false);
        }
    }

    private static FileStream? TryAcquire(string path)
    {
        try
        {
            return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
        }
        catch (IOException e) when (e.HResult == SharingViolation || WouldBlock.Contains(e.HResult))
        {
            return null;
        }
    }
}
