// The same names are refused on every system, so Windows' rules are tested here on whatever system runs the tests.

using NanoGpt.IO;

namespace NanoGpt.Tests.IO;

public sealed class FileNamesTests
{
    [Theory]
    [InlineData("config.json")]
    [InlineData("model-00001-of-00002.safetensors")]
    [InlineData(".gitattributes")]
    [InlineData("..config")]
    [InlineData("a...b")]
    [InlineData("com")]
    [InlineData("com10")]
    [InlineData("console.log")]
    [InlineData("auxiliary")]
    [InlineData(" leading space")]
    [InlineData("~")]
    [InlineData("$HOME")]
    [InlineData("模型.safetensors")]
    [InlineData("\U0001F600.txt")]
    public void Ordinary_names_are_allowed(string name)
    {
        Assert.Null(FileNames.FaultOf(name));
        Assert.True(FileNames.IsPlain(name));
    }

    [Theory]
    [MemberData(nameof(EscapingNames))]
    public void Names_that_leave_their_folder_or_mean_something_else_are_refused(string name)
    {
        Assert.NotNull(FileNames.FaultOf(name));
        Assert.False(FileNames.IsPlain(name));
    }

    [Fact]
    public void A_name_with_a_folder_in_it_is_a_path_but_no_plain_name()
    {
        Assert.Null(FileNames.FaultOf("onnx/model.onnx"));
        Assert.False(FileNames.IsPlain("onnx/model.onnx"));
    }

    [Fact]
    public void The_list_of_escapes_is_as_long_as_promised() => Assert.True(UnsafeNames.All.Count >= 80);

    public static TheoryData<string> EscapingNames() => [.. UnsafeNames.All];
}
