using NanoGpt.Hub;
using NanoGpt.Tests.IO;

namespace NanoGpt.Tests.Hub;

public sealed class HubFileNameTests
{
    [Theory]
    [MemberData(nameof(FileNamesTests.EscapingNames), MemberType = typeof(FileNamesTests))]
    public void An_unsafe_name_ends_in_the_Hubs_exception(string name)
    {
        var refused = Assert.Throws<HubException>(() => HubFileName.Check(name, "model.safetensors.index.json"));
        Assert.Equal(HubErrorKind.UnsafeName, refused.Kind);
        Assert.StartsWith("model.safetensors.index.json", refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(refused.Message, char.IsControl);
    }

    [Fact]
    public void A_shard_may_not_lie_in_a_folder() =>
        Assert.Throws<HubException>(() => HubFileName.CheckSegment("a/b.safetensors", "index"));
}
