// Several files of one folder that change together: staged in a folder inside it, committed by one rename, then moved to
// their places. Whoever is killed in between leaves either the old files or a commit that the next opening finishes.

namespace NanoGpt.IO;

/// <summary>Replaces files of a folder so that all of them change or none does, whenever the process dies.</summary>
internal static class AtomicFolder
{
    private const string StagingPrefix = ".saving-";
    private const string CommittedName = ".saved";
    private const string ObsoleteName = ".obsolete"; // inside the committed folder: names to delete, one a line
    private const string LockName = ".lock"; // inside a staging folder: held while its writer lives

    /// <summary>Lets <paramref name="write"/> fill an empty folder, then makes its files those of <paramref name="folder"/>.</summary>
    /// <param name="folder">The folder, made where it does not exist. Its other files stay.</param>
    /// <param name="obsolete">Names of files that go when the new ones come.</param>
    /// <param name="write">Fills the folder whose path it is given. If it throws, nothing has changed.</param>
    public static void Write(string folder, IEnumerable<string> obsolete, Action<string> write)
    {
        Directory.CreateDirectory(folder);
        Recover(folder);
        DeleteLeftovers(folder);

        var staging = Path.Combine(folder, $"{StagingPrefix}{Environment.ProcessId}-{Guid.NewGuid():N}{AtomicFile.PartialSuffix}");
        Directory.CreateDirectory(staging);
        try
        {
            using (new FileStream(Path.Combine(staging, LockName), FileMode.CreateNew, FileAccess.Write, FileShare.None))
            {
                write(staging);
                var gone = obsolete.Where(name => FileNames.IsPlain(name) && !File.Exists(Path.Combine(staging, name)));
                AtomicFile.WriteAllText(Path.Combine(staging, ObsoleteName), string.Join('\n', gone));
                Posix.FlushFolder(staging);
            }

            File.Delete(Path.Combine(staging, LockName));
            Directory.Move(staging, Path.Combine(folder, CommittedName)); // the commit
        }
        catch
        {
            TryDelete(staging);
            throw;
        }

        Posix.FlushFolder(folder);
        Recover(folder);
    }

    /// <summary>Finishes a commit that a killed process left, if there is one. Call it before reading a folder.</summary>
    public static void Recover(string folder)
    {
        var committed = Path.Combine(folder, CommittedName);
        if (!Directory.Exists(committed)) return;

        var list = Path.Combine(committed, ObsoleteName);
        foreach (var name in File.Exists(list) ? File.ReadAllLines(list) : [])
            if (FileNames.IsPlain(name)) File.Delete(Path.Combine(folder, name));

        foreach (var file in Directory.GetFiles(committed))
        {
            var name = Path.GetFileName(file);
            if (name != ObsoleteName) MoveIfThere(file, Path.Combine(folder, name));
        }

        // From here on the list does no harm any more: the new files are all there.
        TryDelete(committed);
    }

    /// <summary>Removes what killed writers left in <paramref name="folder"/>; a staging folder in use is left alone.</summary>
    private static void DeleteLeftovers(string folder)
    {
        foreach (var staging in Directory.GetDirectories(folder, StagingPrefix + "*" + AtomicFile.PartialSuffix))
        {
            try
            {
                var held = Path.Combine(staging, LockName);
                if (File.Exists(held)) new FileStream(held, FileMode.Open, FileAccess.ReadWrite, FileShare.None).Dispose();
                Directory.Delete(staging, recursive: true);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // In use by a writer that lives, or not ours to delete.
            }
        }
    }

    private static void MoveIfThere(string from, string to)
    {
        try
        {
            File.Move(from, to, overwrite: true);
        }
        catch (FileNotFoundException)
        {
            // Another process that opened the folder at the same time has moved it.
        }
    }

    private static void TryDelete(string folder)
    {
        try
        {
            Directory.Delete(folder, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A leftover: the next Write or Recover deletes it.
        }
    }
}
