using System.Buffers.Binary;
using NanoGpt.Native;

namespace NanoGpt.Tests.Native;

/// <summary>Works on the bytes of TorchSharp's own native library, which lies beside the tests.</summary>
public sealed class ElfVersionsTests
{
    private const string Mark = "GLIBCXX_3.4.32", Wait = "GLIBCXX_3.4.30", OldWait = "GLIBCXX_3.4.11";

    [Fact]
    public void A_system_that_has_every_version_gets_no_changes()
    {
        var (path, image) = Library();
        var copy = image.ToArray();
        Assert.Empty(OlderCxxLibrary.Relieve(path, copy, (_, _) => true));
        Assert.Equal(image, copy);
    }

    [Fact]
    public void Debian_12_loses_the_mark_that_nothing_calls_and_nothing_else()
    {
        var (path, image) = Library();
        var copy = image.ToArray();
        Assert.Equal([Mark], OlderCxxLibrary.Relieve(path, copy, (_, version) => version != Mark));
        Assert.Single(Enumerable.Range(0, image.Length), i => image[i] != copy[i]); // one flag
    }

    [Fact]
    public void Red_Hat_9_gets_the_older_wait_as_well()
    {
        var (path, image) = Library();
        var copy = image.ToArray();
        Assert.Equal([Mark, Wait], OlderCxxLibrary.Relieve(path, copy, (_, version) => version is not (Mark or Wait)));
        Assert.Equal(3, Enumerable.Range(0, image.Length).Count(i => image[i] != copy[i])); // two flags, one symbol's version
        var versions = new ElfVersions(path, copy);
        Assert.Empty(versions.ReferencedSymbols(versions.Needs[Wait]));
        Assert.Contains(versions.ReferencedSymbols(versions.Needs[OldWait]), s => s.Contains("condition_variable4wait", StringComparison.Ordinal));
    }

    [Fact]
    public void What_the_library_really_calls_cannot_be_taken_out()
    {
        var (path, image) = Library();
        var error = Assert.Throws<BackendException>(() =>
            OlderCxxLibrary.Relieve(path, image, (_, version) => version is not (Mark or Wait or OldWait)));
        Assert.Contains("condition_variable", error.Message, StringComparison.Ordinal);
        Assert.Contains(path, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Loading_leaves_the_file_as_it_was()
    {
        var (path, before) = Library();
        Libtorch.EnsureLoaded();
        Assert.Equal(before, File.ReadAllBytes(path));
    }

    [Fact]
    public void Broken_libraries_are_refused_and_never_crash_the_reader()
    {
        var (_, image) = Library();
        var random = new Random(1);
        var whole = new ElfVersions("a.so", image.ToArray());
        var tables = new[] { 0, 64, (int)whole.Needs[Mark].FlagsOffset, (int)DynamicSegment(image) };
        var (refused, accepted) = (0, 0);
        for (var round = 0; round < 400; round++)
        {
            var copy = image.ToArray();
            for (var change = random.Next(1, 4); change > 0; change--)
            {
                var at = Math.Clamp(tables[random.Next(tables.Length)] + random.Next(-600, 600), 4, copy.Length - 9);
                if (random.Next(2) == 0) copy[at] = (byte)random.Next(256);
                else BinaryPrimitives.WriteInt64LittleEndian(copy.AsSpan(at), random.NextInt64(long.MinValue, long.MaxValue) >> random.Next(63));
            }

            if (random.Next(4) == 0) Array.Resize(ref copy, random.Next(copy.Length));
            try
            {
                _ = OlderCxxLibrary.Relieve("a.so", copy, (_, version) => version is not (Mark or Wait));
                accepted++;
            }
            catch (BackendException e)
            {
                Assert.Contains("a.so: ", e.Message, StringComparison.Ordinal);
                refused++;
            }
        }

        Assert.True(refused > 100 && accepted > 20, $"{refused} refused, {accepted} accepted: the test has lost its edge");
    }

    [Theory]
    [InlineData(0, "not a Linux library")]
    [InlineData(40, "not a Linux library")]
    [InlineData(100, "cut short")]
    [InlineData(5000, "cut short")]
    [InlineData(2_000_000, "cut short")]
    public void A_file_that_was_cut_short_is_named_so(int length, string words)
    {
        var (_, image) = Library();
        var error = Assert.Throws<BackendException>(() => ElfHeader.Parse("a.so", image.AsSpan(0, length), length));
        Assert.Contains(words, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(18, 183, "built for arm64")]
    [InlineData(18, 243, "another processor (ELF machine 243)")]
    [InlineData(4, 1, "not a 64-bit")]
    [InlineData(16, 2, "not a shared library")]
    public void A_library_for_something_else_is_named_so(int at, byte value, string words)
    {
        var (_, image) = Library();
        image[at] = value;
        var error = Assert.Throws<BackendException>(() => ElfHeader.Parse("a.so", image, image.Length));
        Assert.Contains(words, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_library_loads_from_memory_and_where_there_is_none_from_a_private_folder()
    {
        var (path, image) = Library();
        Libtorch.EnsureLoaded(); // its neighbours
        _ = OlderCxxLibrary.Relieve(path, image, (_, version) => version is not (Mark or Wait));
        Assert.True(MemoryCopy.Load("test.so", image, out var error) != 0, error);
        Assert.True(MemoryCopy.LoadFromPrivateFolder("test.so", image, out error) != 0, error);
        Assert.True(MemoryCopy.Load("test.so", [1, 2, 3], out error) == 0);
        Assert.NotEmpty(error);
    }

    private static (string Path, byte[] Image) Library()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Linux libraries");
        var path = LibtorchFiles.Find("libLibTorchSharp.so");
        Assert.NotNull(path);
        return (path, File.ReadAllBytes(path));
    }

    private static long DynamicSegment(byte[] image) => ElfHeader.Parse("a.so", image, image.Length).Segments.First(s => s.Type == 2).Offset;
}
