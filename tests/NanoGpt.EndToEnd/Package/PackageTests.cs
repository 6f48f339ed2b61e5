// What is in NanoGpt.nupkg and its symbols, file by file.

using System.IO.Compression;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Text;
using System.Xml.Linq;

namespace NanoGpt.EndToEnd.Package;

[Collection(ThePackage.Name)]
public sealed class PackageTests(LocalFeed feed)
{
    private static readonly Guid EmbeddedSource = new("0E8A571B-6926-466E-B4AD-8AB04611F5FE");

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
            Assert.False(Encoding.Latin1.GetString(Read(entry)).Contains(Repository.Root, StringComparison.Ordinal), entry.FullName);
    }

    [Fact]
    public void Symbols_carry_the_sources()
    {
        using var symbols = ZipFile.OpenRead(feed.Symbols);
        var pdbs = symbols.Entries.Where(e => e.FullName.EndsWith("NanoGpt.pdb", StringComparison.Ordinal)).ToList();
        Assert.Equal(2, pdbs.Count);
        foreach (var pdb in pdbs)
        {
            using var provider = MetadataReaderProvider.FromPortablePdbStream(new MemoryStream(Read(pdb)));
            var reader = provider.GetMetadataReader();
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
