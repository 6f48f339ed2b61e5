// The checkpoint folders of one output folder: where they lie, how one appears whole or not at all, which is the newest
// that is whole, which are deleted. What is in a checkpoint is written by whoever saves one.
//
//     out/ckpt-00000250/       a model folder, optimizer.safetensors, trainer.json, and manifest.json written last
//     out/best/                the model with the best validation loss, without optimizer state
//     out/latest               the name of the newest checkpoint, for people and scripts
//     out/.ckpt-....partial/   one that is being written, or was when its process died; deleted at the next start

using System.Globalization;
using NanoGpt.IO;

namespace NanoGpt.Training;

/// <summary>Saves, finds, rotates and cleans up the checkpoints of one output folder.</summary>
/// <remarks>For one process at a time; <see cref="Trainer"/> holds a lock on the folder.</remarks>
internal sealed class CheckpointStore(string outDir, int keep)
{
    public const string Best = "best";

    private const string Latest = "latest";
    private const string Prefix = "ckpt-";
    private const string ReplacedBest = ".best.replaced";

    /// <summary>Writes a checkpoint beside its place, then renames it there, points latest at it and deletes old ones.</summary>
    /// <param name="iteration">Steps done.</param>
    /// <param name="isBest">Whether it becomes best/ too.</param>
    /// <param name="write">Fills the empty folder it is given; the manifest is added after it.</param>
    /// <returns>The checkpoint's folder.</returns>
    /// <exception cref="CheckpointException">It could not be written. The earlier ones are as they were.</exception>
    public string Save(int iteration, bool isBest, Action<string> write)
    {
        var name = Prefix + iteration.ToString("D8", CultureInfo.InvariantCulture);
        var folder = Path.Combine(outDir, name);
        try
        {
            Replace(folder, HiddenName(name), partial =>
            {
                write(partial);
                CheckpointManifest.Write(partial);
                if (isBest) ReplaceBest(partial);
            });
            AtomicFile.WriteAllText(Path.Combine(outDir, Latest), name + "\n");
            Rotate(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CheckpointException(
                $"{folder}: the checkpoint of iteration {iteration} could not be written: {e.Message} "
                + "The checkpoints before it are untouched; make room or rights, then resume.", e);
        }

        return folder;
    }

    /// <summary>The newest checkpoint that is whole, or null where there is none.</summary>
    /// <param name="onDamaged">Told of each newer one that is not, and why.</param>
    public string? FindNewestWhole(Action<string, string>? onDamaged = null)
    {
        foreach (var folder in NewestFirst())
        {
            if (CheckpointManifest.FindFault(folder) is not { } fault) return folder;
            onDamaged?.Invoke(folder, fault);
        }

        return null;
    }

    /// <summary>Deletes what a killed process left half done, and puts a best/ back that was about to be replaced.</summary>
    public void CleanLeftovers()
    {
        if (!Directory.Exists(outDir)) return;
        var best = Path.Combine(outDir, Best);
        var replaced = Path.Combine(outDir, ReplacedBest);
        if (Directory.Exists(replaced) && !Directory.Exists(best)) Directory.Move(replaced, best);
        Delete(replaced);
        foreach (var folder in Directory.EnumerateDirectories(outDir, "." + "*" + AtomicFile.PartialSuffix)) Delete(folder);
        foreach (var file in Directory.EnumerateFiles(outDir, "*" + AtomicFile.PartialSuffix)) File.Delete(file);
    }

    private IEnumerable<string> NewestFirst() => Directory.Exists(outDir)
        ? Directory.EnumerateDirectories(outDir, Prefix + "*").OrderByDescending(IterationOf).ThenBy(folder => folder, StringComparer.Ordinal)
        : [];

    /// <summary>The iteration in a checkpoint folder's name; 0 where there is none.</summary>
    public static int IterationOf(string folder)
    {
        var name = Path.GetFileName(folder.AsSpan());
        return name.StartsWith(Prefix, StringComparison.Ordinal)
            && int.TryParse(name[Prefix.Length..], NumberStyles.None, CultureInfo.InvariantCulture, out var iteration) ? iteration : 0;
    }

    // A folder that is there already cannot be renamed over: it steps aside first, and comes back if the rename fails.
    private void Replace(string folder, string aside, Action<string> write)
    {
        var partial = HiddenName(Path.GetFileName(folder));
        Directory.CreateDirectory(partial);
        try
        {
            write(partial);
            Posix.FlushFolder(partial);
            if (Directory.Exists(folder)) Directory.Move(folder, aside);
            Directory.Move(partial, folder);
            Posix.FlushFolder(outDir);
        }
        catch
        {
            TryDelete(partial);
            if (Directory.Exists(aside) && !Directory.Exists(folder)) Directory.Move(aside, folder);
            throw;
        }

        TryDelete(aside);
    }

    // Before the checkpoint gets its name: were it after, a kill in between would leave a best/ that the checkpoint's best
    // loss doesn't belong to, and nothing would mend it.
    private void ReplaceBest(string checkpoint) =>
        Replace(Path.Combine(outDir, Best), Path.Combine(outDir, ReplacedBest), partial => CopyModel(checkpoint, partial));

    private static void CopyModel(string checkpoint, string partial)
    {
        foreach (var file in Directory.EnumerateFiles(checkpoint))
        {
            var name = Path.GetFileName(file);
            if (name is OptimizerFile.FileName or CheckpointManifest.FileName) continue;
            using var source = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 20, FileOptions.SequentialScan);
            using var target = new FileStream(Path.Combine(partial, name), FileMode.CreateNew, FileAccess.Write, FileShare.None, 1 << 20);
            source.CopyTo(target);
            target.Flush(flushToDisk: true);
        }

        CheckpointManifest.Write(partial);
    }

    private void Rotate(string newest)
    {
        if (keep == 0) return;
        foreach (var folder in NewestFirst().Where(folder => folder != newest).Skip(keep - 1))
        {
            var aside = HiddenName(Path.GetFileName(folder)); // so that half a deleted checkpoint doesn't look like a damaged one
            Directory.Move(folder, aside);
            TryDelete(aside);
        }
    }

    /// <summary>A new name for a folder that is not, or no longer, to be seen.</summary>
    private string HiddenName(string name) =>
        Path.Combine(outDir, $".{name}.{Environment.ProcessId}-{Guid.NewGuid():N}{AtomicFile.PartialSuffix}");

    private static void TryDelete(string folder)
    {
        try
        {
            Delete(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It bears a leftover's name: CleanLeftovers tries again at the next start.
        }
    }

    private static void Delete(string folder)
    {
        if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
    }
}
