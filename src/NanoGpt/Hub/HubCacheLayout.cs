// Where things lie in the cache of one repository, as Python's huggingface_hub lays them out, and the few ways to put
// them there. Every file appears under its name whole or not at all. Makes no request.

using NanoGpt.IO;

namespace NanoGpt.Hub;

/// <summary>One repository's folder in the cache: blobs, snapshots that link to them, refs.</summary>
internal sealed class HubCacheLayout
{
    private const string CacheTag =
        "Signature: 8a477f597d28d172789f06886806bc55\n# This file marks a folder whose content can be downloaded again: huggingface.co models.\n";

    private readonly string _cache;
    private readonly bool? _useLinks;

    /// <summary>The layout of <paramref name="repository"/> under <paramref name="cache"/>; makes nothing yet.</summary>
    /// <param name="cache">The root of the cache.</param>
    /// <param name="repository">Whose folder.</param>
    /// <param name="useLinks">Whether snapshots may be symbolic links; null to find out.</param>
    public HubCacheLayout(string cache, HubRepository repository, bool? useLinks = null)
    {
        _cache = cache;
        _useLinks = useLinks;
        Repository = repository;
        Folder = Path.Combine(cache, repository.FolderName);
    }

    /// <summary>Whose folder it is.</summary>
    public HubRepository Repository { get; }

    /// <summary>The repository's folder.</summary>
    public string Folder { get; }

    /// <summary>Where content lies under the name of its hash.</summary>
    public string Blob(string etag) => Path.Combine(Folder, "blobs", etag);

    /// <summary>A blob that is still being downloaded. The name is Python's, so that either goes on where the other stopped.</summary>
    public string Partial(string etag) => Blob(etag) + ".incomplete";

    /// <summary>The folder that shows the files of a commit.</summary>
    public string Snapshot(string commit) => Path.Combine(Folder, "snapshots", commit);

    /// <summary>A file of a commit: a link to a blob, or, without links, the file.</summary>
    public string Pointer(string commit, string file) => Path.Combine(Snapshot(commit), LocalPath(file));

    /// <summary>Whether a file of a commit is there; a link to nothing is not.</summary>
    public bool Has(string commit, string file) => FileExists(Pointer(commit, file));

    /// <summary>Whether a path leads to a file. File.Exists says so of a link to nothing, too.</summary>
    public static bool FileExists(string path)
    {
        try
        {
            var file = new FileInfo(path);
            return file.Exists && (file.LinkTarget is null || file.ResolveLinkTarget(returnFinalTarget: true) is FileInfo { Exists: true });
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false; // a link to itself, or through a folder that is closed to us
        }
    }

    /// <summary>The lock that whoever writes a blob must hold.</summary>
    public string Lock(string etag) => Path.Combine(_cache, ".locks", Repository.FolderName, etag + ".lock");

    /// <summary>The commit that a branch or tag stood for when last asked; null where unknown.</summary>
    public string? ReadRef(string revision)
    {
        try
        {
            var commit = File.ReadAllText(RefFile(revision)).Trim();
            return HubRepository.IsCommit(commit) ? commit : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Remembers what commit a branch or tag stands for. Does nothing where that is known already.</summary>
    public void WriteRef(string revision, string commit)
    {
        if (revision == commit || ReadRef(revision) == commit) return;
        var path = RefFile(revision);
        RefuseLinkedFolders(Path.Combine(Folder, "refs"), path);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);

        // Made among the blobs: every file under refs is taken for a reference by those who list them.
        var partial = Blob($"{Guid.NewGuid():N}.incomplete");
        Directory.CreateDirectory(Path.GetDirectoryName(partial)!);
        File.WriteAllText(partial, commit);
        File.Move(partial, path, overwrite: true);
    }

    /// <summary>Whether the server once said that a commit has no such file.</summary>
    public bool IsKnownAbsent(string commit, string file) => File.Exists(Path.Combine(Folder, ".no_exist", commit, LocalPath(file)));

    /// <summary>Remembers that a commit has no such file.</summary>
    public void RememberAbsent(string commit, string file)
    {
        var path = Path.Combine(Folder, ".no_exist", commit, LocalPath(file));
        RefuseLinkedFolders(Path.Combine(Folder, ".no_exist", commit), path);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        using var _ = new FileStream(path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.ReadWrite);
    }

    /// <summary>Makes the folders for a file of a commit, and the tag by which backups know a cache.</summary>
    public void Prepare(string commit, string etag)
    {
        Directory.CreateDirectory(Snapshot(commit));
        Directory.CreateDirectory(Path.Combine(Folder, "refs"));
        Directory.CreateDirectory(Path.Combine(Folder, "blobs"));
        Directory.CreateDirectory(Path.GetDirectoryName(Lock(etag))!);
        var tag = Path.Combine(_cache, "CACHEDIR.TAG");
        if (!File.Exists(tag)) IO.AtomicFile.WriteAllText(tag, CacheTag);
    }

    /// <summary>Makes the file of a commit show the blob <paramref name="etag"/>: by a link, or by a copy.</summary>
    public void Link(string commit, string file, string etag)
    {
        var pointer = Pointer(commit, file);
        PreparePointer(commit, pointer);
        var temporary = Partial($"{etag}.{Guid.NewGuid():N}");
        if (UseLinks)
        {
            var target = Path.GetRelativePath(Path.GetDirectoryName(pointer)!, Blob(etag));
            File.CreateSymbolicLink(temporary, target);
        }
        else
        {
            File.Copy(Blob(etag), temporary);
        }

        File.Move(temporary, pointer, overwrite: true);
    }

    /// <summary>Gives a finished partial file its final name: a blob with a link to it, or, without links, the file itself.</summary>
    public void Publish(string commit, string file, string etag)
    {
        if (UseLinks)
        {
            File.Move(Partial(etag), Blob(etag), overwrite: true);
            Link(commit, file, etag);
            return;
        }

        var pointer = Pointer(commit, file);
        PreparePointer(commit, pointer);
        File.Move(Partial(etag), pointer, overwrite: true);
    }

    private bool UseLinks => _useLinks ?? HubSymlinks.AreSupported(_cache);

    private void PreparePointer(string commit, string pointer)
    {
        RefuseLinkedFolders(Snapshot(commit), pointer);
        Directory.CreateDirectory(Path.GetDirectoryName(pointer)!);
    }

    // A folder of a snapshot that is a link would lead what is written below it out of the cache.
    private static void RefuseLinkedFolders(string root, string path)
    {
        for (var folder = Path.GetDirectoryName(path)!; folder.Length >= root.Length; folder = Path.GetDirectoryName(folder)!)
        {
            if (new DirectoryInfo(folder).LinkTarget is { } target)
                throw new HubException(HubErrorKind.Cache,
                    $"{folder} is a link (to {UntrustedText.Quote(target)}); folders of a snapshot must be folders. Delete it, or the model from the cache, and try again.");
        }
    }

    private string RefFile(string revision) => Path.Combine(Folder, "refs", LocalPath(revision));

    private static string LocalPath(string name) => name.Replace('/', Path.DirectorySeparatorChar);
}
