using System.Buffers.Binary;
using NanoGpt.Data;

namespace NanoGpt.Tests.Data;

public sealed class TokenFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Ids_of_16_bits_are_read_as_nanoGPT_writes_them()
    {
        using var file = TokenFile.Open(Write16(1, 50256, 0, 65535, 258));

        Assert.Equal(5, file.Count);
        Assert.Equal([50256, 0, 65535], Read(file, 1, 3));
        Assert.Equal([1, 50256, 0, 65535, 258], Read(file, 0, 5));
        Assert.Empty(Read(file, 5, 0));
    }

    [Fact]
    public void Ids_of_32_bits_have_a_header()
    {
        using var file = TokenFile.Open(Write32(3, 100_000, 7, 2_000_000_000));

        Assert.Equal([100_000, 7, 2_000_000_000], Read(file, 0, 3));
        Assert.Contains("id 2000000000 at position 2", Assert.Throws<ModelFormatException>(() => file.CheckIds(200_000)).Message);
        file.CheckIds(2_000_000_001);
    }

    [Theory]
    [InlineData(-1, 1)]
    [InlineData(5, 1)]
    [InlineData(0, 6)]
    [InlineData(long.MaxValue, 2)]
    public void A_range_beyond_the_ids_is_refused(long start, int count)
    {
        using var file = TokenFile.Open(Write16(1, 2, 3, 4, 5));
        Assert.Throws<ArgumentOutOfRangeException>(() => Read(file, start, count));
    }

    [Fact]
    public void An_id_that_the_model_lacks_is_named_with_file_and_position()
    {
        var ids = new int[3_000_000];
        ids[2_500_000] = 65;
        ids[2_700_000] = 66;
        using var file = TokenFile.Open(Write16(ids));

        var message = Assert.Throws<ModelFormatException>(() => file.CheckIds(65)).Message;
        Assert.Contains($"{file.Path}: id 65 at position 2500000; the model's vocabulary has 65 ids", message);
        Assert.Contains("position 2700000", Assert.Throws<ModelFormatException>(() => file.CheckIds(66)).Message);
        file.CheckIds(67);
        file.CheckIds(100_000);
    }

    [Fact]
    public void Part_of_a_file_is_refused_where_that_shows()
    {
        File.WriteAllBytes(_folder.File("odd.bin"), [1, 0, 2]);
        Assert.Contains("3 bytes, an odd number", Assert.Throws<ModelFormatException>(() => TokenFile.Open(_folder.File("odd.bin"))).Message);
        Assert.Contains("the header says 4 ids", Assert.Throws<ModelFormatException>(() => TokenFile.Open(Write32(4, 1, 2, 3))).Message);
        Assert.Contains("the header says -1 ids", Assert.Throws<ModelFormatException>(() => TokenFile.Open(Write32(-1, 1))).Message);
        Assert.Contains($"the header says {long.MaxValue} ids", Assert.Throws<ModelFormatException>(() => TokenFile.Open(Write32(long.MaxValue, 1))).Message);
        Assert.Contains("no such file", Assert.Throws<ModelFormatException>(() => TokenFile.Open(_folder.File("none.bin"))).Message);
    }

    [Fact]
    public void An_empty_file_has_no_ids()
    {
        using var file = TokenFile.Open(Write16());
        Assert.Equal(0, file.Count);
        file.CheckIds(1);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(70_000)]
    public void Ids_in_memory_are_the_same_thing(int largest)
    {
        using var file = TokenFile.FromIds("memory", [0, largest, 5]);
        Assert.Equal([0, largest, 5], Read(file, 0, 3));
        Assert.Contains($"memory: id {largest} at position 1", Assert.Throws<ModelFormatException>(() => file.CheckIds(largest)).Message);
    }

    [Fact]
    public void A_disposed_file_says_so()
    {
        var file = TokenFile.Open(Write16(1, 2));
        file.Dispose();
        file.Dispose();
        Assert.Throws<ObjectDisposedException>(() => Read(file, 0, 1));
        Assert.Throws<ObjectDisposedException>(() => file.CheckIds(1));
    }

    private static long[] Read(TokenFile file, long start, int count)
    {
        var ids = new long[count];
        file.CopyTo(start, ids);
        return ids;
    }

    private string Write16(params int[] ids)
    {
        var bytes = new byte[2 * ids.Length];
        for (var i = 0; i < ids.Length; i++) BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(2 * i), (ushort)ids[i]);
        File.WriteAllBytes(_folder.File("16.bin"), bytes);
        return _folder.File("16.bin");
    }

    private string Write32(long count, params int[] ids)
    {
        var bytes = new byte[16 + 4 * ids.Length];
        TokenFile.Magic.CopyTo(bytes);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(8), count);
        for (var i = 0; i < ids.Length; i++) BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(16 + 4 * i), ids[i]);
        File.WriteAllBytes(_folder.File("32.bin"), bytes);
        return _folder.File("32.bin");
    }
}
