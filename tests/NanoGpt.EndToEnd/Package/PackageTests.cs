// What is in NanoGpt.nupkg and its symbols, file by file.

using System.IO.Compression;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Text;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace NanoGpt.EndToEnd.Package;

[Collection(ThePackage.Name)]
public sealed class PackageTests(LocalFeed feed)
{
    private static readonly Guid EmbeddedSource = new("0E8A571B-6926-466E-B4AD-8AB04611F5FE");
    private static readonly Guid SourceLink = new("CC110556-A091-4D38-9FEC-25AB9A351A6A");

    [Fact]
    public void Holds_these_files_and_no_others()
    {
        using var package = ZipFile.OpenRead(feed.Package);
        Assert.Equal(
        [
            "NanoGpt.nuspec", "README.md", "THIRD-PARTY-NOTICES.md", "buildTransitive/NanoGpt.targets", "icon.png",
            "lib/net10.0/NanoGpt.dll", "lib/net10.0/NanoGpt.xml", "lib/net8.0/NanoGpt.dll", "lib/net8.0/NanoGpt.xml",
        ], package.Entries.Select(e => e.FullName).Where(n => !IsPackagingPart(n)).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Is_at_most_3_MB() => Assert.InRange(new FileInfo(feed.Package).Length, 1, 3_000_000);

    [Fact]
    public void Has_no_native_code()
    {
        using var package = ZipFile.OpenRead(feed.Package);
        foreach (var entry in package.Entries.Where(e => e.FullName.EndsWith(".dll", StringComparison.Ordinal)))
        {
            using var image = new PEReader(new MemoryStream(Read(entry)));
            Assert.True(image.PEHeaders.CorHeader!.Flags.HasFlag(CorFlags.ILOnly), entry.FullName);
        }
    }

    [Fact]
    public void Names_no_folder_of_the_machine_that_packed_it()
    {
        using var package = ZipFile.OpenRead(feed.Package);
        using var symbols = ZipFile.OpenRead(feed.Symbols);
        foreach (var entry in package.Entries.Concat(symbols.Entries))
            Assert.False(Encoding.Latin1.GetString(Read(entry)).Contains(feed.Sources.Root, StringComparison.Ordinal), entry.FullName);
    }

    [Fact]
    public async Task Packed_elsewhere_it_is_the_same_to_the_byte()
    {
        Assert.SkipWhen(feed.Sources.Commit is null, "There is no git here, so there is no commit to pack twice.");
        var (elsewhere, feedThere) = (await SourceTree.CommitAsync(feed.NewFolder("sources elsewhere")), feed.NewFolder("feed elsewhere"));
        Assert.Equal(feed.Sources.Commit, elsewhere.Commit);
        await elsewhere.PackAsync("src/NanoGpt", feedThere, feed.Version);

        foreach (var file in new[] { feed.Package, feed.Symbols })
        {
            using var first = ZipFile.OpenRead(file);
            using var second = ZipFile.OpenRead(Path.Combine(feedThere, Path.GetFileName(file)));
            Assert.Equal(first.Entries.Select(e => e.FullName), second.Entries.Select(e => e.FullName));
            foreach (var (one, other) in first.Entries.Zip(second.Entries)) // the times beside the names are those of packing
                Assert.True(Read(one).AsSpan().SequenceEqual(Read(other)), one.FullName);
        }
    }

    [Fact]
    public void Its_page_leads_back_to_the_commit_it_was_packed_from()
    {
        Assert.SkipWhen(feed.Sources.Commit is null, "There is no git here, so there is no address to lead to.");
        using var package = ZipFile.OpenRead(feed.Package);
        var page = Encoding.UTF8.GetString(Read(package.GetEntry("README.md")!));
        var links = Regex.Matches(page, @"\]\(([^)\s]+)\)").Select(m => m.Groups[1].Value).ToList();
        Assert.All(links, link => Assert.StartsWith("https://", link, StringComparison.Ordinal));

        var pages = $"{SourceTree.Address}/blob/{feed.Sources.Commit}/";
        var pictures = $"https://raw.githubusercontent.com/example/NanoGpt/{feed.Sources.Commit}/"; // the gallery shows pictures from there
        Assert.Contains(pages + "docs/getting-started.md#a-gpu", links);
        Assert.Contains(pictures + "docs/images/loss.svg", links);
        var asInRepository = page.Replace(pages, "", StringComparison.Ordinal).Replace(pictures, "", StringComparison.Ordinal);
        Assert.Equal(File.ReadAllText(Repository.File("README.md")), asInRepository);
    }

    [Fact]
    public void Symbols_link_to_the_sources_of_the_commit()
    {
        Assert.SkipWhen(feed.Sources.Commit is null, "There is no git here, so there is no commit to link to.");
        foreach (var reader in Symbols())
        {
            var link = reader.CustomDebugInformation.Select(reader.GetCustomDebugInformation).Single(i => reader.GetGuid(i.Kind) == SourceLink);
            Assert.Equal($$$"""{"documents":{"/_/*":"https://raw.githubusercontent.com/example/NanoGpt/{{{feed.Sources.Commit}}}/*"}}""",
                Encoding.UTF8.GetString(reader.GetBlobBytes(link.Value)));
            Assert.All(reader.Documents, d => Assert.StartsWith("/_/", reader.GetString(reader.GetDocument(d).Name), StringComparison.Ordinal));
        }
    }

    [Fact]
    public void Symbols_carry_the_sources()
    {
        foreach (var reader in Symbols())
        {
            var withSource = reader.CustomDebugInformation.Select(reader.GetCustomDebugInformation)
                .Where(i => reader.GetGuid(i.Kind) == EmbeddedSource).Select(i => (DocumentHandle)i.Parent).ToHashSet();
            Assert.All(reader.Documents, d => Assert.True(withSource.Contains(d), reader.GetString(reader.GetDocument(d).Name)));
        }
    }

    [Fact]
    public void Says_what_it_is()
    {
        using var package = ZipFile.OpenRead(feed.Package);
        var metadata = XDocument.Load(new MemoryStream(Read(package.GetEntry("NanoGpt.nuspec")!))).Root!.Elements().First();
        string? Value(string name) => metadata.Elements().FirstOrDefault(e => e.Name.LocalName == name)?.Value;
        Assert.Equal(("NanoGpt", feed.Version, "MIT", "README.md", "icon.png"),
            (Value("id"), Value("version"), Value("license"), Value("readme"), Value("icon")));
        Assert.Contains("gpt2", Value("tags"), StringComparison.Ordinal);
        Assert.NotEmpty(Value("description")!);
    }

    /// <summary>The symbols for each target framework.</summary>
    private IEnumerable<MetadataReader> Symbols()
    {
        using var symbols = ZipFile.OpenRead(feed.Symbols);
        foreach (var framework in new[] { "net8.0", "net10.0" })
        {
            using var provider = MetadataReaderProvider.FromPortablePdbStream(new MemoryStream(Read(symbols.GetEntry($"lib/{framework}/NanoGpt.pdb")!)));
            yield return provider.GetMetadataReader();
        }
    }

    private static bool IsPackagingPart(string name) =>
        name.StartsWith("_rels/", StringComparison.Ordinal) || name.StartsWith("package/", StringComparison.Ordinal) || name == "[Content_Types].xml";

    private static byte[] Read(ZipArchiveEntry entry)
    {
        using var stream = entry.Open();
        using var memory = new MemoryStream();
        stream.CopyTo(memory);
        return memory.ToArray();
    }
}
