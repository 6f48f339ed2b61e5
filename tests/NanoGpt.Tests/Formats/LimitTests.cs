using System.Text;
using NanoGpt.Formats;

namespace NanoGpt.Tests.Formats;

/// <summary>The largest inputs that are read at all, made to cost as much as they can (promises 1 and 2).</summary>
public sealed class LimitTests
{
    [Theory]
    [InlineData("1,")] // numbers: the most values for their bytes
    [InlineData("{},")]
    [InlineData("\"\",")]
    public void A_config_of_the_largest_size_costs_at_most_ten_megabytes(string repeated)
    {
        var json = Encoding.UTF8.GetBytes("{\"a\":[" + Fill(repeated, ConfigJson.MaxLength - 100) + "1]}");

        Assert.InRange(Allocated(() => ConfigJson.Read(json, "config.json")), 1, 10 << 20);
    }

    [Fact]
    public void An_index_of_the_largest_size_costs_at_most_ten_megabytes()
    {
        var entries = new StringBuilder("{\"weight_map\":{");
        for (var i = 0; entries.Length < ShardIndex.MaxLength - 100; i++) entries.Append($"\"{i:x}\":\"{i % 999}\",");
        var json = Encoding.UTF8.GetBytes(entries + "\"z\":\"z\"}}");

        Assert.InRange(Allocated(() => ShardIndex.Read(json, "index.json")), 1, 10 << 20);
    }

    [Fact]
    public void An_index_of_too_many_files_is_refused()
    {
        var entries = string.Join(',', Enumerable.Range(0, ShardIndex.MaxShards + 1).Select(i => $"\"{i}\":\"{i}\""));
        var json = Encoding.UTF8.GetBytes($"{{\"weight_map\":{{{entries}}}}}");

        Assert.Contains("1000 shards", Assert.Throws<ModelFormatException>(() => ShardIndex.Read(json, "index.json")).Message);
    }

    [Theory]
    [InlineData("\"__metadata__\":{", "\"{0:x}\":\"\",", "\"z\":\"\"}")]
    [InlineData("", "\"{0:x}\":{{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}},", "\"z\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}")]
    [InlineData("\"a\":{\"x\":[", "1,", "1],\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}")]
    public void A_safetensors_header_of_64_KB_costs_at_most_one_megabyte(string start, string repeated, string end)
    {
        var json = new StringBuilder("{" + start);
        var format = CompositeFormat.Parse(repeated);
        for (var i = 0; json.Length < (64 << 10) - 200; i++) json.AppendFormat(null, format, i);
        var header = Encoding.UTF8.GetBytes(json + end + "}");
        byte[] file = [.. BitConverter.GetBytes((long)header.Length), .. header];

        Assert.InRange(Allocated(() => SafetensorsHeader.Read(file, file.Length, "m")), 1, 1 << 20);
    }

    [Theory]
    [InlineData("config.json", 256 << 10)]
    [InlineData("model.safetensors.index.json", 512 << 10)]
    public void Larger_files_are_refused_unread(string name, int limit)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.File("config.json"), "{}");
        File.WriteAllText(folder.File(name), new string(' ', limit + 1));

        Assert.Contains($"the limit is {limit}", Assert.Throws<ModelFormatException>(() => ModelFolder.Open(folder.Path)).Message);
    }

    private static string Fill(string repeated, int length) => string.Concat(Enumerable.Repeat(repeated, length / repeated.Length));

    private static long Allocated(Action read)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        read();
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }
}
