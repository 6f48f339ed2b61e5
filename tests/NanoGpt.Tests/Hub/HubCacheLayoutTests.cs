using NanoGpt.Hub;

namespace NanoGpt.Tests.Hub;

public sealed class HubCacheLayoutTests
{
    private const string Commit = "0123456789abcdef0123456789abcdef01234567";
    private const string ETag = "89abcdef0123456789abcdef0123456789abcdef";

    [Theory]
    [InlineData("config.json", "../../blobs/" + ETag)]
    [InlineData("onnx/fp16/model.onnx", "../../../../blobs/" + ETag)]
    public void With_links_content_lies_in_blobs_and_the_link_is_relative(string file, string target)
    {
        using var folder = new TemporaryFolder();
        var layout = Published(folder, file, useLinks: true);
        Assert.Equal(target, new FileInfo(layout.Pointer(Commit, file)).LinkTarget!.Replace('\\', '/'));
        Assert.Equal("content", File.ReadAllText(layout.Pointer(Commit, file)));
        Assert.Equal("content", File.ReadAllText(layout.Blob(ETag)));
    }

    [Fact]
    public void Without_links_new_files_are_moved_into_the_snapshot()
    {
        using var folder = new TemporaryFolder();
        var layout = Published(folder, "config.json", useLinks: false);
        Assert.Null(new FileInfo(layout.Pointer(Commit, "config.json")).LinkTarget);
        Assert.Equal("content", File.ReadAllText(layout.Pointer(Commit, "config.json")));
        Assert.False(File.Exists(layout.Blob(ETag)));
    }

    [Fact]
    public void Without_links_blobs_that_exist_are_copied()
    {
        using var folder = new TemporaryFolder();
        Published(folder, "config.json", useLinks: true);
        var layout = new HubCacheLayout(folder.Path, HubRepository.Parse("a/b"), useLinks: false);
        layout.Link(Commit, "copy.json", ETag);
        Assert.Null(new FileInfo(layout.Pointer(Commit, "copy.json")).LinkTarget);
        Assert.Equal("content", File.ReadAllText(layout.Pointer(Commit, "copy.json")));
        Assert.True(File.Exists(layout.Blob(ETag)));
    }

    [Fact]
    public void A_link_whose_blob_is_gone_is_replaced()
    {
        using var folder = new TemporaryFolder();
        var layout = Published(folder, "config.json", useLinks: true);
        File.Delete(layout.Blob(ETag));
        Assert.False(layout.Has(Commit, "config.json"));
        Published(folder, "config.json", useLinks: true);
        Assert.Equal("content", File.ReadAllText(layout.Pointer(Commit, "config.json")));
    }

    [Fact]
    public void A_snapshot_folder_that_is_a_link_is_not_written_through()
    {
        using var folder = new TemporaryFolder();
        using var outside = new TemporaryFolder();
        var layout = Published(folder, "config.json", useLinks: true);
        Directory.CreateSymbolicLink(Path.Combine(layout.Snapshot(Commit), "onnx"), outside.Path);
        var refused = Assert.Throws<HubException>(() => layout.Link(Commit, "onnx/model.onnx", ETag));
        Assert.Equal(HubErrorKind.Cache, refused.Kind);
        Assert.Empty(Directory.EnumerateFileSystemEntries(outside.Path));
    }

    [Fact]
    public void References_are_remembered_whole_and_leave_nothing_beside_them()
    {
        using var folder = new TemporaryFolder();
        var layout = new HubCacheLayout(folder.Path, HubRepository.Parse("a/b"));
        layout.WriteRef("main", Commit);
        layout.WriteRef("refs/pr/1", Commit);
        layout.WriteRef(Commit, Commit);
        Assert.Equal(Commit, layout.ReadRef("main"));
        Assert.Equal(Commit, layout.ReadRef("refs/pr/1"));
        Assert.Equal(Commit, File.ReadAllText(folder.At("models--a--b", "refs", "main")));
        Assert.Equal(2, Directory.GetFiles(folder.At("models--a--b", "refs"), "*", SearchOption.AllDirectories).Length);
        Assert.Empty(Directory.GetFiles(folder.At("models--a--b", "blobs")));
    }

    [Theory]
    [InlineData("")]
    [InlineData("not a commit")]
    [InlineData("../../../../etc")]
    public void A_reference_that_is_no_commit_is_not_believed(string content)
    {
        using var folder = new TemporaryFolder();
        var layout = new HubCacheLayout(folder.Path, HubRepository.Parse("a/b"));
        layout.WriteRef("main", Commit);
        File.WriteAllText(folder.At("models--a--b", "refs", "main"), content);
        Assert.Null(layout.ReadRef("main"));
    }

    [Fact]
    public async Task A_lock_is_held_by_one_at_a_time()
    {
        using var folder = new TemporaryFolder();
        var (inside, most, waits) = (0, 0, 0);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(async () =>
        {
            for (var i = 0; i < 5; i++)
            {
                using var held = await HubFileLock.AcquireAsync(folder.At("x.lock"), TimeProvider.System, () => Interlocked.Increment(ref waits), TestContext.Current.CancellationToken);
                most = Math.Max(most, Interlocked.Increment(ref inside));
                await Task.Delay(1, TestContext.Current.CancellationToken);
                Interlocked.Decrement(ref inside);
            }
        })));
        Assert.Equal(1, most);
        Assert.True(waits > 0);
    }

    private static HubCacheLayout Published(TemporaryFolder folder, string file, bool useLinks)
    {
        var layout = new HubCacheLayout(folder.Path, HubRepository.Parse("a/b"), useLinks);
        layout.Prepare(Commit, ETag);
        File.WriteAllText(layout.Partial(ETag), "content");
        layout.Publish(Commit, file, ETag);
        return layout;
    }
}
