// Whether symbolic links work in a cache folder: asked once for each, by making one. They don't on Windows without
// developer mode, nor on some network and memory-card file systems.

using System.Collections.Concurrent;

namespace NanoGpt.Hub;

/// <summary>The probe for symbolic links.</summary>
internal static class HubSymlinks
{
    private static readonly ConcurrentDictionary<string, bool> Known = new(StringComparer.Ordinal);

    /// <summary>Whether a link can be made and read under <paramref name="cache"/>.</summary>
    public static bool AreSupported(string cache) => Known.GetOrAdd(Path.GetFullPath(cache), Probe);

    private static bool Probe(string cache)
    {
        // Under .locks, which everybody who lists a cache leaves out.
        var folder = Path.Combine(cache, ".locks", $".probe-{Guid.NewGuid():N}");
        try
        {
            Directory.CreateDirectory(folder);
            File.WriteAllText(Path.Combine(folder, "target"), "x");
            File.CreateSymbolicLink(Path.Combine(folder, "link"), "target");
            return File.ReadAllText(Path.Combine(folder, "link")) == "x";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or PlatformNotSupportedException)
        {
            return false;
        }
        finally
        {
            Remove(folder);
        }
    }

    private static void Remove(string folder)
    {
        try
        {
            Directory.Delete(folder, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A leftover here is in nobody's way.
        }
    }
}
