// Reads and deletes in the folder of one cached model. The face of it is HubCache.

namespace NanoGpt.Hub;

/// <summary>One model's folder.</summary>
internal static class HubCacheScan
{
    /// <summary>Lists a model.</summary>
    public static HubCachedModel Model(HubRepository repository, DirectoryInfo folder)
    {
        var refs = References(folder.FullName);
        var revisions = Folders(Path.Combine(folder.FullName, "snapshots"))
            .Where(snapshot => HubRepository.IsCommit(snapshot.Name))
            .Select(snapshot => new HubCachedRevision(snapshot.Name, [.. refs.Where(entry => entry.Commit == snapshot.Name).Select(entry => entry.Name)], Files(snapshot), snapshot.FullName))
            .ToArray();

        var blobs = Folder(Path.Combine(folder.FullName, "blobs")) is { Exists: true } found ? found.GetFiles() : [];
        var unfinished = blobs.Where(blob => blob.Name.EndsWith(".incomplete", StringComparison.Ordinal)).Sum(blob => blob.Length);
        var outsideBlobs = revisions.SelectMany(revision => revision.Files).Where(file => new FileInfo(file.Path).LinkTarget is null).Sum(file => file.SizeBytes);
        return new HubCachedModel(repository.Id, folder.FullName, blobs.Sum(blob => blob.Length) + outsideBlobs, unfinished, revisions);
    }

    /// <summary>Deletes all of a model, or one revision with the content that is only its own.</summary>
    /// <returns>Bytes freed.</returns>
    public static long Delete(HubCachedModel model, string? revision)
    {
        if (revision is null)
        {
            Directory.Delete(model.Path, recursive: true); // links are deleted, not followed
            return model.SizeBytes;
        }

        var gone = model.Revisions.SingleOrDefault(found => found.Commit == revision || found.Refs.Contains(revision));
        if (gone is null) return 0;
        var kept = model.Revisions.Where(found => found != gone).SelectMany(found => found.Files).Select(Blob).ToHashSet(StringComparer.Ordinal);
        var freed = 0L;
        foreach (var file in gone.Files)
        {
            var blob = Blob(file);
            if (blob == file.Path) freed += file.SizeBytes;
            else if (Path.GetDirectoryName(blob) == Path.Combine(model.Path, "blobs") && kept.Add(blob) && File.Exists(blob))
            {
                freed += file.SizeBytes;
                File.Delete(blob);
            }
        }

        Directory.Delete(gone.Path, recursive: true);
        foreach (var name in gone.Refs) File.Delete(Path.Combine(model.Path, "refs", name));
        var absent = Path.Combine(model.Path, ".no_exist", gone.Commit);
        if (Directory.Exists(absent)) Directory.Delete(absent, recursive: true);
        return freed;
    }

    private static IEnumerable<DirectoryInfo> Folders(string path) => Folder(path) is { Exists: true } folder ? folder.EnumerateDirectories() : [];

    private static DirectoryInfo Folder(string path) => new(path);

    private static List<(string Name, string Commit)> References(string folder)
    {
        var root = Path.Combine(folder, "refs");
        if (!Directory.Exists(root)) return [];
        return [.. Directory.EnumerateFiles(root, "*", SearchOption.AllDirectories)
            .Where(path => new FileInfo(path).Length < 100)
            .Select(path => (Path.GetRelativePath(root, path).Replace(Path.DirectorySeparatorChar, '/'), File.ReadAllText(path).Trim()))];
    }

    // Folders that are links are not entered: they could lead anywhere, and round in circles.
    private static HubCachedFile[] Files(DirectoryInfo snapshot) =>
        [.. snapshot.EnumerateFiles("*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = 0 })
            .Where(file => IsInside(snapshot, file.Directory!))
            .OrderBy(file => file.FullName, StringComparer.Ordinal)
            .Select(file => new HubCachedFile(
                Path.GetRelativePath(snapshot.FullName, file.FullName).Replace(Path.DirectorySeparatorChar, '/'), file.FullName, Size(file)))];

    private static bool IsInside(DirectoryInfo snapshot, DirectoryInfo folder)
    {
        for (var at = folder; at.FullName.Length > snapshot.FullName.Length; at = at.Parent!)
        {
            if (at.LinkTarget is not null) return false;
        }

        return true;
    }

    private static long Size(FileInfo file)
    {
        if (!HubCacheLayout.FileExists(file.FullName)) return 0;
        return file.LinkTarget is null ? file.Length : ((FileInfo)file.ResolveLinkTarget(returnFinalTarget: true)!).Length;
    }

    private static string Blob(HubCachedFile file) => new FileInfo(file.Path).LinkTarget is { } target
        ? Path.GetFullPath(target, Path.GetDirectoryName(file.Path)!)
        : file.Path;
}
