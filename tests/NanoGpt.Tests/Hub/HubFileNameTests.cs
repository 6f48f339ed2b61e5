// The same names are refused on every system, so Windows' rules are tested here on whatever system runs the tests.

using NanoGpt.Hub;

namespace NanoGpt.Tests.Hub;

public sealed class HubFileNameTests
{
    [Theory]
    [InlineData("config.json")]
    [InlineData("model-00001-of-00002.safetensors")]
    [InlineData("onnx/model.onnx")]
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
    public void Ordinary_names_are_allowed(string name) => Assert.Null(HubFileName.FaultOf(name));

    [Theory]
    [MemberData(nameof(EscapingNames))]
    public void Names_that_leave_their_folder_or_mean_something_else_are_refused(string name)
    {
        Assert.NotNull(HubFileName.FaultOf(name));
        var refused = Assert.Throws<HubException>(() => HubFileName.Check(name, "model.safetensors.index.json"));
        Assert.Equal(HubErrorKind.UnsafeName, refused.Kind);
        Assert.StartsWith("model.safetensors.index.json", refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(refused.Message, char.IsControl);
    }

    [Fact]
    public void A_shard_may_not_lie_in_a_folder() =>
        Assert.Throws<HubException>(() => HubFileName.CheckSegment("a/b.safetensors", "index"));

    [Fact]
    public void The_list_of_escapes_is_as_long_as_promised() => Assert.True(UnsafeNames.All.Count >= 80);

    public static TheoryData<string> EscapingNames() => [.. UnsafeNames.All];
}
