using System.Text;
using NanoGpt.Data;
using NanoGpt.Tokenization;

namespace NanoGpt.Tests.Data;

public sealed class TokenDatasetTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_text_is_split_at_nine_tenths_of_its_characters_and_each_part_encoded_by_itself()
    {
        // 20 characters, more bytes: the cut is after 18 of them, inside a word and before a two-byte character.
        File.WriteAllText(_folder.File("t.txt"), "\u00E9\u00E9\u00E9\u00E9\u00E9\u00E9 Hello there\u00E9\u00E9");
        using var data = TokenDataset.FromText(_folder.File("t.txt"), Tokenizer.Gpt2);

        Assert.Equal("\u00E9\u00E9\u00E9\u00E9\u00E9\u00E9 Hello there", data.Tokenizer.Decode(All(data.Train)));
        Assert.Equal(Tokenizer.Gpt2.Encode("\u00E9\u00E9"), All(data.Val));
        Assert.Null(data.VocabSize);
    }

    [Fact]
    public void A_long_text_has_the_ids_that_it_has_in_one_piece()
    {
        var random = new Random(6);
        var text = new StringBuilder();
        while (text.Length < 1_500_000) text.Append(NanoGpt.Tests.Tokenization.HostileText.Next(random, 50));
        var all = text.ToString().Replace("\r", "");
        File.WriteAllText(_folder.File("t.txt"), all);
        var runes = all.EnumerateRunes().ToList();
        var cut = (int)(runes.Count * 0.9);

        using var data = TokenDataset.FromText(_folder.File("t.txt"), Tokenizer.Gpt2);

        Assert.True(Tokenizer.Gpt2.Encode(string.Concat(runes.Take(cut))).SequenceEqual(All(data.Train)));
        Assert.True(Tokenizer.Gpt2.Encode(string.Concat(runes.Skip(cut))).SequenceEqual(All(data.Val)));
    }

    [Theory]
    [InlineData("a\r\nb\rc\r\n\r\r\nd\n\n0123456789\r", "a\nb\nc\n\n\nd\n\n0123456789\n")]
    [InlineData("\uFEFFabc\uFEFFdefghijklmno\r\n", "abc\uFEFFdefghijklmno\n")]
    public void Line_ends_are_those_of_Python_and_a_byte_order_mark_is_no_text(string written, string read)
    {
        File.WriteAllBytes(_folder.File("t.txt"), Encoding.UTF8.GetBytes(written));
        using var data = TokenDataset.FromText(_folder.File("t.txt"), Tokenizer.Gpt2);
        Assert.Equal(read, data.Tokenizer.Decode(All(data.Train)) + data.Tokenizer.Decode(All(data.Val)));
    }

    [Fact]
    public void Text_is_read_the_same_in_pieces_of_any_size()
    {
        var text = string.Concat(Enumerable.Repeat("\r\n\u00E9\U0001F600\r\r\n\u4F60x\n\r", 20));
        File.WriteAllText(_folder.File("t.txt"), text);
        var expected = Encoding.UTF8.GetBytes(text.ReplaceLineEndings("\n"));
        for (var size = 16; size < 80; size++)
        {
            using var reader = new Utf8TextReader(_folder.File("t.txt"));
            var (buffer, read) = (new byte[size], new List<byte>());
            while (reader.Read(buffer) is var length and > 0) read.AddRange(buffer.AsSpan(0, length));
            Assert.Equal(expected, read);
        }
    }

    [Theory]
    [InlineData(new byte[] { 0x61, 0x62, 0xFF, 0x63 }, "byte FF at offset 2")]
    [InlineData(new byte[] { 0x61, 0xE4, 0xBD }, "byte E4 at offset 1")]
    [InlineData(new byte[] { 0x61, 0xED, 0xA0, 0x80, 0x61 }, "byte ED at offset 1")]
    [InlineData(new byte[] { 0xFF, 0xFE, 0x61, 0x00 }, "byte FF at offset 0")]
    public void What_is_not_UTF8_is_refused_with_its_place(byte[] content, string fault)
    {
        File.WriteAllBytes(_folder.File("t.txt"), content);
        Assert.Contains(fault, Assert.Throws<ModelFormatException>(() => TokenDataset.FromText(_folder.File("t.txt"), Tokenizer.Gpt2)).Message);
    }

    [Fact]
    public void A_character_that_the_vocabulary_lacks_is_named_with_its_place_in_the_file()
    {
        File.WriteAllText(_folder.File("t.txt"), string.Concat(Enumerable.Repeat("abcdefg\n", 300_000)) + "abc\u00E9");
        var message = Assert.Throws<ModelFormatException>(() => TokenDataset.FromText(_folder.File("t.txt"), CharacterTokenizer.FromText("abcdefg\n"))).Message;
        Assert.Contains("t.txt: '\u00E9' (U+00E9) at position 2400003 (line 300001, column 4)", message);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a")]
    public void A_text_too_short_to_be_split_is_refused(string text)
    {
        File.WriteAllText(_folder.File("t.txt"), text);
        Assert.Contains("characters", Assert.Throws<ModelFormatException>(() => TokenDataset.FromText(_folder.File("t.txt"), Tokenizer.Gpt2)).Message);
        Assert.Throws<ModelFormatException>(() => TokenDataset.FromText(_folder.File("none.txt"), Tokenizer.Gpt2));
    }

    [Fact]
    public void A_folder_of_nanoGPT_without_meta_is_of_GPT2s_vocabulary()
    {
        File.WriteAllBytes(_folder.File("train.bin"), [1, 0, 2, 0, 3, 0]);
        File.WriteAllBytes(_folder.File("val.bin"), [4, 0, 5, 0]);
        using var data = TokenDataset.Open(_folder.Path);
        Assert.Same(Tokenizer.Gpt2, data.Tokenizer);
        Assert.Null(data.VocabSize);
        Assert.Equal((3, 2), (data.Train.Count, data.Val.Count));
    }

    [Fact]
    public void A_folder_of_nanoGPT_with_meta_pkl_has_its_characters()
    {
        // pickle.dump({'vocab_size': 2, 'itos': {0: '\n', 1: 'a'}, 'stoi': {'\n': 0, 'a': 1}}), protocol 4.
        File.WriteAllBytes(_folder.File("meta.pkl"), Convert.FromHexString(
            "8004953e000000000000007d94288c0a766f6361625f73697a65944b028c0469746f73947d94284b008c010a944b018c016194758c0473746f69947d942868044b0068054b0175752e"));
        File.WriteAllBytes(_folder.File("train.bin"), [1, 0, 0, 0, 1, 0]);
        File.WriteAllBytes(_folder.File("val.bin"), [1, 0, 1, 0]);
        using var data = TokenDataset.Open(_folder.Path);
        Assert.Equal(2, data.VocabSize);
        Assert.Equal("a\na", data.Tokenizer.Decode(All(data.Train)));
    }

    [Theory]
    [InlineData("""{"tokenizer": "gpt2", "train_ids": 4, "val_ids": 2}""", "3 ids; meta.json beside it says 4")]
    [InlineData("""{"tokenizer": "llama"}""", "tokenizer is 'llama'")]
    [InlineData("""{}""", "tokenizer is missing")]
    [InlineData("""{"tokenizer": "folder"}""", "no vocabulary")]
    [InlineData("""nonsense""", "not valid JSON")]
    public void A_meta_json_that_does_not_fit_is_refused(string meta, string fault)
    {
        File.WriteAllBytes(_folder.File("train.bin"), [1, 0, 2, 0, 3, 0]);
        File.WriteAllBytes(_folder.File("val.bin"), [4, 0, 5, 0]);
        File.WriteAllText(_folder.File("meta.json"), meta);
        Assert.Contains(fault, Assert.Throws<ModelFormatException>(() => TokenDataset.Open(_folder.Path)).Message);
    }

    [Fact]
    public void A_folder_that_is_no_dataset_says_what_is_missing()
    {
        Assert.Contains("no such folder", Assert.Throws<ModelFormatException>(() => TokenDataset.Open(_folder.File("none"))).Message);
        Assert.Contains("train.bin: no such file", Assert.Throws<ModelFormatException>(() => TokenDataset.Open(_folder.Path)).Message);
    }

    [Fact]
    public void The_mask_hides_targets_and_nothing_else()
    {
        File.WriteAllBytes(_folder.File("train.bin"), [1, 0, 2, 0, 3, 0, 4, 0]);
        File.WriteAllBytes(_folder.File("val.bin"), [1, 0, 2, 0, 3, 0, 4, 0]);
        File.WriteAllBytes(_folder.File("train.mask"), [1, 0, 1, 0]);
        using var data = TokenDataset.Open(_folder.Path);
        var sampler = new BatchSampler(data, 1);
        var (x, y) = (new long[3], new long[3]);

        sampler.Fill(new(DataSplit.Train, false, 0, 0), 3, x, y);
        Assert.Equal([1, 2, 3], x);
        Assert.Equal([-1, 3, -1], y);
        sampler.Fill(new(DataSplit.Val, false, 0, 0), 3, x, y);
        Assert.Equal([2, 3, 4], y);
    }

    [Fact]
    public void A_mask_of_another_length_is_refused()
    {
        File.WriteAllBytes(_folder.File("train.bin"), [1, 0, 2, 0]);
        File.WriteAllBytes(_folder.File("val.bin"), [1, 0, 2, 0]);
        File.WriteAllBytes(_folder.File("val.mask"), [1]);
        Assert.Contains("1 bytes for the 2 ids", Assert.Throws<ModelFormatException>(() => TokenDataset.Open(_folder.Path)).Message);
    }

    internal static int[] All(TokenFile file)
    {
        var ids = new long[file.Count];
        file.CopyTo(0, ids);
        return [.. ids.Select(id => (int)id)];
    }
}
