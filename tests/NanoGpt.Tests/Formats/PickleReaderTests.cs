using System.Text;
using NanoGpt.Formats;

namespace NanoGpt.Tests.Formats;

public sealed class PickleReaderTests
{
    private static readonly string[] Alphabet = ["\n", " ", "!", ",", "H", "d", "e", "l", "o", "r", "w", "\u00f6", "\U0001f600"];

    [Theory]
    [InlineData("protocol2.pkl")]
    [InlineData("protocol4.pkl")]
    [InlineData("protocol5.pkl")]
    public void The_alphabet_of_a_dataset_is_read_from_every_protocol(string name) =>
        Assert.Equal(Alphabet, NanoGptMeta.ReadFile(Vectors.Path("meta", name)).Characters);

    [Fact]
    public void Whole_numbers_of_every_width_are_read()
    {
        // 255, 65535, -1, 2^40, -2^40, 2^63 - 1
        var pickle = "\x80\x02(K\xffM\xff\xffJ\xff\xff\xff\xff\x8a\x06\0\0\0\0\0\x01\x8a\x06\0\0\0\0\0\xff\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7ft.";

        Assert.Equal([255L, 65535L, -1L, 1L << 40, -(1L << 40), long.MaxValue], Assert.IsType<object?[]>(Read(pickle)));
    }

    [Theory]
    [InlineData("cos\nsystem\n(X\x02\0\0\0lstR.", "'os.system'")] // the classic
    [InlineData("\x8c\x02os\x8c\x06system\x93.", "'os.system'")]
    [InlineData("ctorch\nload\n.", "'torch.load'")]
    [InlineData("ccollections\nOrderedDict\n(K\x01tR.", "wrong arguments")]
    [InlineData("i__main__\nX\n.", "opcode 0x69")] // INST
    [InlineData("}\x81.", "opcode 0x81")] // NEWOBJ
    [InlineData("P1\n.", "opcode 0x50")] // PERSID
    [InlineData("\x82\x01.", "opcode 0x82")] // EXT1
    [InlineData("K\x01Q.", "not a storage")]
    [InlineData("]}b.", "not a dict")]
    [InlineData("K\x01(K\x02K\x03u.", "not a dict")]
    [InlineData("}(K\x02u.", "not a dict")]
    [InlineData("}]K\x01s.", "dict key")]
    [InlineData("h\x05.", "memo entry 5")]
    [InlineData("r\xff\xff\xff\xff.", "memo entry 4294967295")]
    [InlineData("(((.", "more from the stack")]
    [InlineData("t.", "did not begin")]
    [InlineData(".", "more from the stack")]
    [InlineData("X\xff\xff\xff\xff.", "4294967295 bytes")]
    [InlineData("X\x02\0\0\0\xc3(.", "not UTF-8")]
    [InlineData("\x8a\x09\0\0\0\0\0\0\0\0\x01.", "above 2^63")]
    [InlineData("\x80\x06.", "protocol above 5")]
    [InlineData("K", "cut off")]
    [InlineData("", "cut off")]
    [InlineData("ctorch", "without an end")]
    public void Everything_else_is_refused(string pickle, string expected) =>
        Assert.Contains(expected, Assert.Throws<ModelFormatException>(() => Read(pickle)).Message);

    [Fact]
    public void A_list_that_holds_itself_is_only_data() => Assert.IsType<PickleList>(Read("]q\0h\0a."));

    [Theory]
    [InlineData("]", "16384 values")] // empty lists without end
    [InlineData("(", "1024 containers")]
    [InlineData("}q\0", "16384 values")]
    [InlineData("N", "16384 values")]
    [InlineData("\x85", "more from the stack")]
    public void Bombs_end_at_the_limits(string repeated, string expected)
    {
        var pickle = string.Concat(Enumerable.Repeat(repeated, 100_000));

        Assert.Contains(expected, Assert.Throws<ModelFormatException>(() => Read(pickle)).Message);
    }

    [Fact]
    public void Memory_is_bounded_whatever_the_pickle_makes()
    {
        // A list that takes a thousand empty dicts at a time, for as long as the pickle may be.
        var batch = "(" + new string('}', 1000) + "e";
        var pickle = Encoding.Latin1.GetBytes("]" + string.Concat(Enumerable.Repeat(batch, 8000)) + ".");

        var before = GC.GetAllocatedBytesForCurrentThread();
        var refusal = Assert.Throws<ModelFormatException>(() => PickleReader.Read(pickle, "bomb.pt"));
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.Contains("12 MB of objects", refusal.Message);
        Assert.InRange(allocated, 1 << 20, 16 << 20);
    }

    [Fact]
    public void Memo_bombs_stay_as_small_as_they_are_written()
    {
        // Each list holds the one before ten times: 10^1000 leaves, if anything followed them.
        var pickle = new StringBuilder("]q\0");
        for (var i = 0; i < 1000; i++) pickle.Append("](h\0h\0h\0h\0h\0h\0h\0h\0h\0h\0eq\0");
        pickle.Append('.');

        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.IsType<PickleList>(Read(pickle.ToString()));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 1, 1 << 20);
    }

    private static object? Read(string pickle) => PickleReader.Read(Encoding.Latin1.GetBytes(pickle), "test.pkl");
}
