// NanoGpt.nuspec against the project files, without packing anything.

using System.Xml.Linq;

namespace NanoGpt.EndToEnd.Package;

public sealed class NuspecTests
{
    private static readonly XDocument Nuspec = XDocument.Load(Repository.File("NanoGpt.nuspec"));
    private static readonly XDocument Central = XDocument.Load(Repository.File("Directory.Packages.props"));
    private static readonly XDocument Project = XDocument.Load(Repository.File("src", "NanoGpt", "NanoGpt.csproj"));

    [Fact]
    public void Depends_on_what_the_project_references_and_on_what_is_pinned()
    {
        var referenced = Project.Descendants("PackageReference").Where(r => (string?)r.Attribute("PrivateAssets") != "all")
            .Select(r => (string)r.Attribute("Include")!);
        var pinned = Central.Descendants("ItemGroup").Single(g => ((string?)g.Attribute("Label"))?.StartsWith("Pinned", StringComparison.Ordinal) == true)
            .Elements("PackageVersion").Select(v => (string)v.Attribute("Include")!);
        var versions = Central.Descendants("PackageVersion")
            .ToDictionary(v => (string)v.Attribute("Include")!, v => (string)v.Attribute("Version")!);
        var expected = referenced.Concat(pinned).Order(StringComparer.Ordinal).Select(id => (id, versions[id])).ToList();

        foreach (var group in Elements(Nuspec, "group"))
            Assert.Equal(expected, Elements(group, "dependency").Select(d => ((string)d.Attribute("id")!, (string)d.Attribute("version")!)));
    }

    [Fact]
    public void Has_a_group_and_files_for_each_target_framework_of_the_project()
    {
        var frameworks = Project.Descendants("TargetFrameworks").Single().Value.Split(';').Order(StringComparer.Ordinal).ToList();
        Assert.Equal(frameworks, Elements(Nuspec, "group").Select(g => (string)g.Attribute("targetFramework")!).Order(StringComparer.Ordinal));
        Assert.Equal(frameworks.Select(f => $"lib/{f}"), Elements(Nuspec, "file").Select(f => (string)f.Attribute("target")!)
            .Where(t => t.StartsWith("lib/", StringComparison.Ordinal)).Distinct().Order(StringComparer.Ordinal));
    }

    private static IEnumerable<XElement> Elements(XContainer container, string name) =>
        container.Descendants().Where(e => e.Name.LocalName == name);
}
