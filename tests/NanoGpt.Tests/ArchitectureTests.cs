using System.Text.RegularExpressions;

namespace NanoGpt.Tests;

/// <summary>Reads the library's source and holds it against the directions of dependency in docs/architecture.md.</summary>
public sealed partial class ArchitectureTests
{
    private static readonly string Library = Path.Combine(RepositoryRoot(), "src", "NanoGpt");

    /// <summary>Each room, and the rooms whose types it must not name.</summary>
    public static TheoryData<string, string[]> Rooms => new()
    {
        { "Formats", ["TorchSharp", "NanoGpt.Hub", "NanoGpt.Inference", "NanoGpt.Training", "NanoGpt.Data", "NanoGpt.Native", "NanoGpt.Chat"] },
        { "Hub", ["TorchSharp", "NanoGpt.Formats", "NanoGpt.Inference", "NanoGpt.Training", "NanoGpt.Data", "NanoGpt.Tokenization", "NanoGpt.Native", "NanoGpt.Chat"] },
        { "IO", ["TorchSharp", "NanoGpt.Formats", "NanoGpt.Hub", "NanoGpt.Inference", "NanoGpt.Training", "NanoGpt.Data", "NanoGpt.Tokenization", "NanoGpt.Native", "NanoGpt.Chat"] },
        { "Tokenization", ["TorchSharp", "NanoGpt.Formats", "NanoGpt.Hub", "NanoGpt.Inference", "NanoGpt.Training", "NanoGpt.Data", "NanoGpt.Native", "NanoGpt.Chat"] },
        { "Inference", ["TorchSharp", "NanoGpt.Hub", "NanoGpt.Training", "NanoGpt.Data", "NanoGpt.Tokenization", "NanoGpt.Native", "NanoGpt.Chat"] },
        { "Backpropagation", ["TorchSharp", "NanoGpt.Inference", "NanoGpt.Formats", "NanoGpt.Hub", "NanoGpt.Training", "NanoGpt.Data", "NanoGpt.Tokenization", "NanoGpt.Native", "NanoGpt.Chat"] },
        { "Numerics", ["TorchSharp", "NanoGpt.Backpropagation", "NanoGpt.Inference", "NanoGpt.Formats", "NanoGpt.Hub", "NanoGpt.IO", "NanoGpt.Training", "NanoGpt.Data", "NanoGpt.Tokenization", "NanoGpt.Native", "NanoGpt.Chat"] },
        { "Data", ["TorchSharp", "NanoGpt.Hub", "NanoGpt.Inference", "NanoGpt.Training", "NanoGpt.Native", "NanoGpt.Chat"] },
        { "Native", ["NanoGpt.Formats", "NanoGpt.Hub", "NanoGpt.Inference", "NanoGpt.Training", "NanoGpt.Data", "NanoGpt.Tokenization", "NanoGpt.Chat"] },
        { "Chat", ["TorchSharp", "NanoGpt.Hub", "NanoGpt.Inference", "NanoGpt.Training", "NanoGpt.Data", "NanoGpt.Native"] },
        { "Training", ["NanoGpt.Hub", "NanoGpt.Inference", "NanoGpt.Chat"] },
        { "GPTModel.cs", ["System.IO", "NanoGpt.Formats", "NanoGpt.Hub", "NanoGpt.Inference", "NanoGpt.Data", "NanoGpt.Tokenization", "NanoGpt.Chat"] },
        { "GPTConfig.cs", ["TorchSharp", "NanoGpt.Formats", "NanoGpt.Hub", "NanoGpt.Inference", "NanoGpt.Training", "NanoGpt.Data", "NanoGpt.Tokenization", "NanoGpt.Native", "NanoGpt.Chat"] },
        { "Trainer.cs", ["NanoGpt.Hub", "NanoGpt.Inference", "NanoGpt.Chat"] },
        { "Generator.cs", ["TorchSharp", "NanoGpt.Training", "NanoGpt.Data"] },
    };

    [Theory]
    [MemberData(nameof(Rooms))]
    public void A_room_knows_only_what_it_stands_on(string room, string[] never)
    {
        var files = SourceFiles(room);
        Assert.NotEmpty(files);

        var broken =
            from file in files
            from used in UsedNamespaces(File.ReadAllText(file))
            from forbidden in never
            where used == forbidden || used.StartsWith(forbidden + ".", StringComparison.Ordinal)
            select $"{Path.GetRelativePath(Library, file)} uses {used}";
        Assert.Empty(broken);
    }

    [Theory]
    [InlineData("Trainer.cs", "Generator")]
    [InlineData("Generator.cs", "Trainer")]
    [InlineData("GPT.cs", "Trainer")]
    [InlineData("GPTModel.cs", "TrainerOptions")]
    [InlineData("GPTModel.cs", "Tokenizer")]
    public void A_file_does_not_name_a_type_above_it(string file, string type)
    {
        var code = CommentOrString().Replace(File.ReadAllText(Path.Combine(Library, file)), "");
        Assert.DoesNotMatch($@"\b{type}\b", code);
    }

    [Fact]
    public void No_file_is_named_after_nothing_in_particular() =>
        Assert.DoesNotContain(SourceFiles("."), file => Regex.IsMatch(Path.GetFileName(file), "Utils?|Helpers?|Manager|Common"));

    private static string[] SourceFiles(string room)
    {
        var path = Path.Combine(Library, room);
        return File.Exists(path)
            ? [path]
            : [.. Directory.EnumerateFiles(path, "*.cs", SearchOption.AllDirectories)
                .Where(file => !Regex.IsMatch(file, @"[\\/](obj|bin)[\\/]"))];
    }

    private static IEnumerable<string> UsedNamespaces(string source) =>
        from Match match in UsingLine().Matches(source) select match.Groups["name"].Value;

    private static string RepositoryRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "NanoGpt.sln"))) folder = folder.Parent;
        return folder?.FullName ?? throw new DirectoryNotFoundException("The tests do not run inside a checkout.");
    }

    [GeneratedRegex(@"^\s*(global\s+)?using\s+(static\s+)?(\w+\s*=\s*)?(?<name>[A-Za-z_][\w.]*)\s*;", RegexOptions.Multiline)]
    private static partial Regex UsingLine();

    [GeneratedRegex(@"//[^\n]*|@?""[^""\n]*""")]
    private static partial Regex CommentOrString();
}
