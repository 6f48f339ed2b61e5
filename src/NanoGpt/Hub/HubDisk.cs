// Room on the disk that a file lies on. A guess to fail early on, no promise.

namespace NanoGpt.Hub;

/// <summary>Free space.</summary>
internal static class HubDisk
{
    /// <summary>Bytes that this user may still write where <paramref name="path"/> lies; null where the system doesn't say.</summary>
    public static long? FreeBytes(string path)
    {
        try
        {
            // On Unix any folder will do for the name of a drive; on Windows it is the root, and a share has none.
            var folder = OperatingSystem.IsWindows() ? Path.GetPathRoot(path) : Path.GetDirectoryName(path);
            return folder is null ? null : new DriveInfo(folder).AvailableFreeSpace;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return null;
        }
    }
}
