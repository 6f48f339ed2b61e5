using System.Text;
using NanoGpt.Hub;

namespace NanoGpt.Tests.Hub;

public sealed class HubHashTests
{
    // `git hash-object` of "what is up, doc?" (the example of the Pro Git book) and of an empty file; sha256sum of the same.
    [Theory]
    [InlineData("what is up, doc?", "bd9dbf5aae1a3862dd1526723246b20206e5fc37")]
    [InlineData("", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391")]
    [InlineData("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")]
    [InlineData("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")]
    public async Task Content_is_hashed_as_git_and_LFS_do(string content, string etag)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder.At("x"), Encoding.UTF8.GetBytes(content));
        await using var file = File.OpenRead(folder.At("x"));
        Assert.Equal(etag, await HubHash.ComputeAsync(file, etag, TestContext.Current.CancellationToken));
    }
}
