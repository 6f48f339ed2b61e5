// A program that adds one TorchSharp-cuda package beside NanoGpt. CUDA's packages are some gigabytes, so these are small
// ones of the same names and layout (TorchSharp's repository, folder pkg): heads, parts, props and the check of its build.

using System.IO.Compression;

namespace NanoGpt.EndToEnd.Package;

[Collection(ThePackage.Name)]
public sealed class CudaPackageTests(LocalFeed feed)
{
    private const string Marker = "stands in for CUDA's";

    /// <summary>The platform, and files that are in both libtorches.</summary>
    public static TheoryData<string, string, string[]> Platforms => new()
    {
        { "linux", "linux-x64", ["libc10.so", "libtorch.so", "libtorch_cpu.so", "libtorch_cuda.so"] },
        { "windows", "win-x64", ["c10.dll", "torch.dll", "torch_cpu.dll", "torch_cuda.dll"] },
    };

    [Theory]
    [MemberData(nameof(Platforms))]
    public async Task One_cuda_package_beside_it_leaves_one_libtorch_in_the_program(string system, string platform, string[] files)
    {
        var folder = NewProgram(system, platform, files);
        await Shell.Dotnet(folder, Build(platform));

        var output = Path.Combine(folder, "bin", "Release", "net10.0", platform);
        var libtorch = Directory.GetFiles(output).Where(f => IsLibtorch(Path.GetFileName(f))).ToList();
        Assert.Equal(files, libtorch.Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.All(libtorch, f => Assert.Equal(Marker, File.ReadAllText(f)));
        Assert.Single(Directory.GetFiles(output, "*LibTorchSharp.*"));
        Assert.DoesNotContain($"libtorch-cpu-{platform}.2.10", File.ReadAllText(Path.Combine(output, "program.deps.json")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task TorchSharp_ends_the_build_where_our_target_has_not_taken_the_other_package_away()
    {
        var (system, platform, files) = Platforms.First().Data;
        var folder = NewProgram(system, platform, files);
        string[] arguments = [.. Build(platform), "-p:TorchSharpCpuPackage=true", "-nodeReuse:false", "-p:UseSharedCompilation=false"];
        var (exitCode, output) = await Shell.Run(folder, "dotnet", arguments); // what the command line sets, no target changes
        Assert.NotEqual(0, exitCode);
        Assert.Contains("Two TorchSharp runtime packages have been referenced", output, StringComparison.Ordinal);
    }

    private static string[] Build(string platform) => ["build", "-c", "Release", "-r", platform, "--no-self-contained"];

    private static bool IsLibtorch(string name) =>
        name.Split('.')[0] is "libc10" or "c10" || (name.Contains("torch", StringComparison.Ordinal) && !name.Contains("Sharp", StringComparison.Ordinal));

    private string NewProgram(string system, string platform, string[] files)
    {
        var cudaPackage = $"TorchSharp-cuda-{system}";
        WriteCudaPackages(cudaPackage, platform, files);
        var folder = feed.NewFolder($"cuda-{system}-{Guid.NewGuid():N}");
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
        var head = $"libtorch-cuda-12.8-{platform}";
        WritePackage(top, "0.107.0", [("TorchSharp", "0.107.0"), (head, "2.10.0")],
            ($"buildTransitive/net8.0/{top}.props", empty), ($"buildTransitive/net8.0/{top}.targets", empty));
        WritePackage(head, "2.10.0", [($"{head}-part1", "2.10.0")],
            ($"buildTransitive/netstandard2.0/{head}.props", says), ($"buildTransitive/netstandard2.0/{head}.targets", empty));
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
