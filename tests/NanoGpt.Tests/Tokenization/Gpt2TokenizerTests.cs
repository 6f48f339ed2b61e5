using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using NanoGpt.Tokenization;
using Tokenizer = NanoGpt.Tokenization.Tokenizer;

namespace NanoGpt.Tests.Tokenization;

public sealed class Gpt2TokenizerTests
{
    private static readonly Tokenizer Gpt2 = Tokenizer.Gpt2;

    [Fact]
    public void Ids_equal_tiktoken_for_every_reference_text()
    {
        var count = 0;
        foreach (var vector in Lines("gpt2_vectors.jsonl"))
        {
            var text = vector.GetProperty("text").GetString()!;
            Assert.Equal(Ids(vector, "ids"), Gpt2.Encode(text));
            Assert.Equal(text, Gpt2.Decode(Gpt2.Encode(text)));
            Assert.Equal(vector.TryGetProperty("ids_special", out _) ? Ids(vector, "ids_special") : Ids(vector, "ids"), Gpt2.Encode(text, allowSpecial: true));
            count++;
        }

        Assert.Equal(565, count);
    }

    [Fact]
    public void Text_equals_tiktoken_for_every_reference_list_of_ids_whole_and_streamed()
    {
        var count = 0;
        foreach (var vector in Lines("gpt2_decode.jsonl"))
        {
            var ids = Ids(vector, "ids");
            Assert.Equal(vector.GetProperty("text").GetString(), Gpt2.Decode(ids));
            Assert.Equal(vector.GetProperty("bytes_hex").GetString(), Convert.ToHexStringLower([.. ids.SelectMany(id => Gpt2.GetBytes(id).ToArray())]));

            var decoder = Gpt2.CreateStreamDecoder();
            Assert.Equal(vector.GetProperty("stream").EnumerateArray().Select(s => s.GetString()), ids.Select(decoder.Decode));
            Assert.Equal(vector.GetProperty("flush").GetString(), decoder.Flush());
            count++;
        }

        Assert.Equal(140, count);
    }

    [Fact]
    public void The_embedded_vocabulary_is_that_of_OpenAIs_merges()
    {
        using var file = new StreamReader(new BrotliStream(File.OpenRead(Vectors.Path("tokenizer/gpt2-merges.txt.br")), CompressionMode.Decompress));
        var text = file.ReadToEnd();
        Assert.Equal("1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5", Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text))));

        var lines = text.TrimEnd('\n').Split('\n')[1..];
        var tokens = new Dictionary<string, int>();
        foreach (var b in ByteAlphabet.Order) tokens.Add(ByteAlphabet.Write([b]), tokens.Count);
        foreach (var line in lines) tokens.Add(line.Replace(" ", "", StringComparison.Ordinal), tokens.Count);
        var expected = new BytePairVocabulary(tokens, lines, new Dictionary<string, int> { ["<|endoftext|>"] = tokens.Count }, "merges.txt");

        var actual = ((Gpt2Tokenizer)Gpt2).Vocabulary;
        Assert.Equal(50_000, actual.Merges.Length);
        Assert.Equal(expected.Merges, actual.Merges);
        Assert.Equal(expected.Tokens(), actual.Tokens());
        Assert.Equal(expected.Special, actual.Special);
        Assert.Equal(expected.IdOfByte, actual.IdOfByte);
        foreach (var (left, right, _) in expected.Merges) Assert.Equal(expected.Pairs.Get(left, right), actual.Pairs.Get(left, right));
    }

    [Fact]
    public void Ids_equal_Microsofts_tokenizers_on_generated_text()
    {
        using var folder = new TemporaryFolder();
        Gpt2.Save(folder.Path);
        var tiktoken = MicrosoftTokenizers.Tiktoken();
        var bpe = MicrosoftTokenizers.Bpe(folder.Path);
        var random = new Random(18);
        for (var i = 0; i < 500; i++)
        {
            // Their regular expression sees half a letter where the letter is beyond U+FFFF, and cuts otherwise around it.
            var text = HostileText.Next(random, random.Next(1, 120), allPlanes: false);
            var ids = Gpt2.Encode(text);
            Same(tiktoken.EncodeToIds(text), ids, text);
            if (i % 4 == 0) Same(bpe.EncodeToIds(text), ids, text);
            Assert.Equal(text, Gpt2.Decode(ids));
            Assert.DoesNotContain(50256, ids);
        }
    }

    [Fact]
    public void The_queue_and_the_scan_merge_alike()
    {
        var encoder = new BytePairEncoder(((Gpt2Tokenizer)Gpt2).Vocabulary);
        var random = new Random(19);
        for (var i = 0; i < 1000; i++)
        {
            var piece = Encoding.UTF8.GetBytes(HostileText.Next(random, 30))[..];
            piece = piece[..Math.Min(piece.Length, BytePairEncoder.ScanLimit)];
            List<int> scanned = [], queued = [];
            encoder.MergeByScan(piece, scanned);
            encoder.MergeByQueue(piece, queued);
            Same(scanned, queued, Encoding.UTF8.GetString(piece));
        }
    }

    // A quadratic merge would need hours for each of these.
    [Theory(Timeout = 120_000)]
    [InlineData("a")]
    [InlineData(" ")]
    [InlineData("^")]
    [InlineData("\U0001F600")]
    [InlineData("ab\u00E9")]
    [InlineData("\n")]
    public async Task A_million_times_the_same_ends_and_round_trips(string unit)
    {
        var text = new StringBuilder().Insert(0, unit, 1_000_000).ToString();
        var ids = await Task.Run(() => Gpt2.Encode(text), TestContext.Current.CancellationToken);
        Assert.Equal(text, Gpt2.Decode(ids));
    }

    [Fact]
    public void Special_tokens_in_text_are_ordinary_unless_allowed()
    {
        const string forged = "Hello<|endoftext|>";
        Assert.Equal([15496, 27, 91, 437, 1659, 5239, 91, 29], Gpt2.Encode(forged));
        Assert.Equal([15496, 50256], Gpt2.Encode(forged, allowSpecial: true));
        Assert.Equal(50256, Gpt2.EndOfTextId);
        Assert.Equal(50257, Gpt2.VocabSize);
    }

    [Fact]
    public void A_stream_of_any_valid_text_never_shows_a_false_replacement()
    {
        var random = new Random(20);
        for (var i = 0; i < 500; i++)
        {
            var text = HostileText.Next(random, 40).Replace("\uFFFD", "");
            var decoder = Gpt2.CreateStreamDecoder();
            var shown = new StringBuilder();
            foreach (var id in Gpt2.Encode(text)) shown.Append(decoder.Decode(id));
            Assert.Equal(text, shown.ToString());
            Assert.Equal("", decoder.Flush());
        }
    }

    [Fact]
    public void A_lone_surrogate_counts_as_the_replacement_character() =>
        Assert.Equal(Gpt2.Encode("a\uFFFDb"), Gpt2.Encode("a\uD800b"));

    [Fact]
    public void An_id_outside_the_vocabulary_is_named_with_its_position()
    {
        var message = Assert.Throws<ArgumentException>(() => Gpt2.Decode([15496, 50257])).Message;
        Assert.Contains("Id 50257 at position 1", message);
        Assert.Contains("50257 ids", message);
        Assert.Throws<ArgumentException>(() => Gpt2.Decode([-1]));
        Assert.Throws<ArgumentException>(() => Gpt2.CreateStreamDecoder().Decode(int.MaxValue));
    }

    [Fact]
    public void Many_threads_get_the_same_ids()
    {
        var random = new Random(21);
        var texts = Enumerable.Range(0, 64).Select(_ => HostileText.Next(random, 200)).ToArray();
        var expected = texts.Select(t => Gpt2.Encode(t).ToArray()).ToArray();
        Parallel.For(0, 300, i => Same(expected[i % 64], Gpt2.Encode(texts[i % 64]), texts[i % 64]));
    }

    [Fact]
    public void The_pattern_cuts_as_the_regular_expression_does_where_both_see_the_same_characters()
    {
        var random = new Random(22);
        for (var i = 0; i < 1000; i++)
        {
            var text = string.Concat(HostileText.Next(random, 60).Where(c => !char.IsSurrogate(c)));
            Assert.Equal(MicrosoftTokenizers.Pattern().Matches(text).Select(m => m.Value), Pieces(text));
        }
    }

    [Fact]
    public void A_safe_cut_never_changes_the_ids()
    {
        var random = new Random(23);
        var cuts = 0;
        for (var i = 0; i < 1000; i++)
        {
            var text = Encoding.UTF8.GetBytes(HostileText.Next(random, 40));
            var cut = Gpt2Pattern.LastSafeCut(text);
            if (cut < 0) continue;
            cuts++;
            List<int> whole = [], parts = [];
            Gpt2.Encode(text, allowSpecial: false, whole);
            Gpt2.Encode(text.AsSpan(0, cut), allowSpecial: false, parts);
            Gpt2.Encode(text.AsSpan(cut), allowSpecial: false, parts);
            Same(whole, parts, Encoding.UTF8.GetString(text));
        }

        Assert.True(cuts > 300);
    }

    [Fact]
    public void Letters_and_digits_beyond_the_first_plane_are_letters_and_digits()
    {
        Assert.Equal(["\U0001D49Ca\U00010400", " \U0001D7D8\U0001D7D9", "\U0001F600!"], Pieces("\U0001D49Ca\U00010400 \U0001D7D8\U0001D7D9\U0001F600!"));
        foreach (var c in new[] { "\u0085", "\u00A0", "\u1680", "\u2028", "\u3000" }) Assert.Equal([c, " a"], Pieces(c + " a"));
        foreach (var c in new[] { "\uFEFF", "\u200B", "\u180E", "\u001C", "\u001F" }) Assert.Equal([" " + c], Pieces(" " + c));
    }

    // Assert.Equal takes most of a second for a thousand long lists.
    private static void Same(IReadOnlyList<int> expected, IReadOnlyList<int> actual, string text)
    {
        if (!expected.SequenceEqual(actual)) Assert.Fail($"ids differ: {string.Join(' ', expected)} and {string.Join(' ', actual)} for {JsonSerializer.Serialize(text)}");
    }

    private static List<string> Pieces(string text)
    {
        var pieces = new List<string>();
        for (ReadOnlySpan<byte> rest = Encoding.UTF8.GetBytes(text); !rest.IsEmpty;)
        {
            var length = Gpt2Pattern.FirstPiece(rest);
            pieces.Add(Encoding.UTF8.GetString(rest[..length]));
            rest = rest[length..];
        }

        return pieces;
    }

    private static IEnumerable<JsonElement> Lines(string file) =>
        File.ReadLines(Vectors.Path("tokenizer", file)).Select(line => JsonDocument.Parse(line).RootElement);

    private static int[] Ids(JsonElement vector, string name) => [.. vector.GetProperty(name).EnumerateArray().Select(id => id.GetInt32())];
}
