// Files that are either whole or not there: written beside the target under another name, flushed to the disk, renamed.
// Knows nothing of what is written.

namespace NanoGpt.IO;

/// <summary>Writes a file so that its name only ever shows a whole one.</summary>
internal static class AtomicFile
{
    /// <summary>The end of the name of a file that is still being written; a leftover of it may be deleted.</summary>
    public const string PartialSuffix = ".partial";

    /// <summary>Runs <paramref name="write"/> on a new file beside <paramref name="path"/>, then renames it over it.</summary>
    /// <param name="path">The file to make or replace.</param>
    /// <param name="write">Writes the content. If it throws, the new file is deleted and the old one stays.</param>
    public static void Write(string path, Action<FileStream> write)
    {
        var partial = $"{path}.{Environment.ProcessId}-{Guid.NewGuid():N}{PartialSuffix}";
        try
        {
            using (var stream = new FileStream(partial, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, 1 << 16))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }

            File.Move(partial, path, overwrite: true);
        }
        catch
        {
            TryDelete(partial);
            throw;
        }
    }

    /// <summary>Writes <paramref name="content"/> as UTF-8 without a byte order mark.</summary>
    public static void WriteAllText(string path, string content) =>
        WriteAllBytes(path, System.Text.Encoding.UTF8.GetBytes(content));

    /// <summary>Writes <paramref name="content"/>.</summary>
    public static void WriteAllBytes(string path, byte[] content) => Write(path, stream => stream.Write(content));

    private static void TryDelete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The cause that brought us here is the one to report; the leftover bears PartialSuffix.
        }
    }
}
