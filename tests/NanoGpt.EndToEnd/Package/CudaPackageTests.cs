// A program that adds one TorchSharp-cuda package beside NanoGpt. CUDA's packages are some gigabytes, so these are small
// ones of the same names and layout (TorchSharp's repository, folder pkg): heads, parts, props and the check of its build.

using System.IO.Compression;

namespace NanoGpt.EndToEnd.Package;

[Collection(ThePackage.Name)]
public sealed class CudaPackageTests(LocalFeed feed)
{
    private const string Marker = "stands in for CUDA's";
    private static readonly string[] LinuxFiles = ["libc10.so", "libtorch.so", "libtorch_cpu.so", "libtorch_cuda.so"];

    [Fact]
    public async Task One_cuda_package_beside_it_leaves_one_libtorch_in_the_program()
    {
        WriteCudaPackages("TorchSharp-cuda-linux", "linux-x64", LinuxFiles);
        var folder = NewProgram("cuda-linux", "TorchSharp-cuda-linux");
        await Shell.Dotnet(folder, "build", "-c", "Release", "-r", "linux-x64", "--no-self-contained");

        var output = Path.Combine(folder, "bin", "Release", "net10.0", "linux-x64");
        var libtorch = Directory.GetFiles(output, "lib*torch*.so*").Concat(Directory.GetFiles(output, "libc10*"))
            .Where(f => !f.Contains("LibTorchSharp", StringComparison.Ordinal)).ToList();
        Assert.Equal(LinuxFiles, libtorch.Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.All(libtorch, f => Assert.Equal(Marker, File.ReadAllText(f)));
        Assert.True(File.Exists(Path.Combine(output, "libLibTorchSharp.so")));
        Assert.DoesNotContain("libtorch-cpu-linux-x64.2.10", File.ReadAllText(Path.Combine(output, "program.deps.json")), StringComparison.Ordinal);
    }

    private string NewProgram(string name, string cudaPackage)
    {
        var folder = feed.NewFolder(name);
        File.WriteAllText(Path.Combine(folder, "program.csproj"), $"""
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup>
                <OutputType>Exe</OutputType>
                <TargetFramework>net10.0</TargetFramework>
                <TreatWarningsAsErrors>true</TreatWarningsAsErrors>
                <CreateHardLinksForCopyLocalIfPossible>true</CreateHardLinksForCopyLocalIfPossible>
              </PropertyGroup>
              <ItemGroup>
                <PackageReference Include="NanoGpt" Version="{feed.Version}" />
                <PackageReference Include="{cudaPackage}" Version="0.107.0" />
              </ItemGroup>
            </Project>
            """);
        File.WriteAllText(Path.Combine(folder, "Program.cs"), "System.Console.WriteLine(new NanoGpt.GPTConfig());");
        return folder;
    }

    private void WriteCudaPackages(string top, string platform, IEnumerable<string> files)
    {
        const string empty = "<Project />";
        const string says = "<Project><PropertyGroup><TorchSharpCudaPackage>true</TorchSharpCudaPackage></PropertyGroup></Project>";
        const string checks = """
            <Project>
              <Target Name="CheckOneTorchSharpRuntime" AfterTargets="ResolveReferences" BeforeTargets="PrepareForBuild">
                <Error Text="Two runtimes" Condition="'$(TorchSharpCudaPackage)' == 'true' AND '$(TorchSharpCpuPackage)' == 'true'" />
              </Target>
            </Project>
            """;
        var head = $"libtorch-cuda-12.8-{platform}";
        WritePackage(top, "0.107.0", [("TorchSharp", "0.107.0"), (head, "2.10.0")],
            ($"buildTransitive/net8.0/{top}.props", empty), ($"buildTransitive/net8.0/{top}.targets", empty));
        WritePackage(head, "2.10.0", [($"{head}-part1", "2.10.0")],
            ($"buildTransitive/netstandard2.0/{head}.props", says), ($"buildTransitive/netstandard2.0/{head}.targets", checks));
        WritePackage($"{head}-part1", "2.10.0", [], [.. files.Select(f => ($"runtimes/{platform}/native/{f}", Marker))]);
    }

    private void WritePackage(string id, string version, (string Id, string Version)[] dependencies, params (string Path, string Text)[] files)
    {
        using var package = new ZipArchive(File.Create(Path.Combine(feed.Feed, $"{id}.{version}.nupkg")), ZipArchiveMode.Create);
        var list = string.Concat(dependencies.Select(d => $"""<dependency id="{d.Id}" version="{d.Version}" exclude="Build,Analyzers" />"""));
        Write($"{id}.nuspec", $"""
            <package xmlns="http://schemas.microsoft.com/packaging/2013/05/nuspec.xsd">
              <metadata>
                <id>{id}</id><version>{version}</version><authors>test</authors><description>test</description>
                <dependencies><group targetFramework=".NETStandard2.0">{list}</group></dependencies>
              </metadata>
            </package>
            """);
        Write("lib/netstandard2.0/_._", "");
        foreach (var (path, text) in files) Write(path, text);

        void Write(string path, string text)
        {
            using var writer = new StreamWriter(package.CreateEntry(path).Open());
            writer.Write(text);
        }
    }
}
