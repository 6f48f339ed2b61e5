using System.Text.Json;
using NanoGpt.Hub;
using NanoGpt.Tests.IO;

namespace NanoGpt.Tests.Hub;

public sealed class HubModelFilesTests
{
    [Fact]
    public void Shards_are_listed_once_and_in_order() =>
        Assert.Equal(["a.safetensors", "b.safetensors"],
            Read("""{"metadata":{},"weight_map":{"x":"b.safetensors","y":"a.safetensors","z":"b.safetensors"}}"""));

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"weight_map":[]}""")]
    [InlineData("""{"weight_map":{}}""")]
    [InlineData("""{"weight_map":{"x":1}}""")]
    [InlineData("""{"weight_map":{"x":null}}""")]
    public void What_is_no_index_is_a_format_error(string json) => Assert.Throws<ModelFormatException>(() => Read(json));

    [Theory]
    [MemberData(nameof(FileNamesTests.EscapingNames), MemberType = typeof(FileNamesTests))]
    public void A_shard_with_an_unsafe_name_is_refused(string name)
    {
        if (name.AsSpan().IndexOfAnyInRange('\ud800', '\udfff') >= 0) return; // JSON can't carry it: refused as such below
        var json = JsonSerializer.Serialize(new { weight_map = new Dictionary<string, string> { ["x"] = name } });
        Assert.Equal(HubErrorKind.UnsafeName, Assert.Throws<HubException>(() => Read(json)).Kind);
    }

    [Theory]
    [InlineData("""{"weight_map":{"x":"weights.bin"}}""")]
    [InlineData("""{"weight_map":{"x":"sub/a.safetensors"}}""")]
    [InlineData("""{"weight_map":{"x":"a.safetensors","y":"A.safetensors"}}""")]
    public void Shards_must_be_safetensors_files_that_differ_on_every_system(string json) =>
        Assert.Equal(HubErrorKind.UnsafeName, Assert.Throws<HubException>(() => Read(json)).Kind);

    [Fact]
    public void A_name_of_broken_Unicode_is_refused() =>
        Assert.IsAssignableFrom<NanoGptException>(Record.Exception(() => Read("""{"weight_map":{"x":"a\ud800.safetensors"}}""")));

    private static IReadOnlyList<string> Read(string json)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.At("index.json"), json);
        return HubModelFiles.ReadShards(folder.At("index.json"), ".safetensors", "index.json");
    }
}
