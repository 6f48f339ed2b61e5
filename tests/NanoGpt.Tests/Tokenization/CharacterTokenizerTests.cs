using System.Text;
using NanoGpt.Tokenization;

namespace NanoGpt.Tests.Tokenization;

public sealed class CharacterTokenizerTests
{
    [Fact]
    public void Characters_are_numbered_in_code_point_order()
    {
        var tokenizer = CharacterTokenizer.FromText("banana\n\U0001F600\uFF5E!");

        Assert.Equal("\n!abn\uFF5E\U0001F600", string.Concat(tokenizer.Characters));
        Assert.Equal([3, 2, 4, 2, 6, 5], tokenizer.Encode("bana\U0001F600\uFF5E"));
        Assert.Equal("bana\U0001F600\uFF5E", tokenizer.Decode([3, 2, 4, 2, 6, 5]));
        Assert.Equal(7, tokenizer.VocabSize);
        Assert.Null(tokenizer.EndOfTextId);
    }

    [Theory]
    [InlineData("ab\ncd\u00E9f", "'\u00E9' (U+00E9) at position 5 (line 2, column 3)")]
    [InlineData("\U0001F600", "'\U0001F600' (U+1F600) at position 0 (line 1, column 1)")]
    [InlineData("ab\u0007", "(U+0007) at position 2 (line 1, column 3)")]
    [InlineData("ab\uD800", "(U+FFFD) at position 2 (line 1, column 3)")]
    public void An_unknown_character_is_shown_with_its_place(string text, string expected)
    {
        var message = Assert.Throws<ArgumentException>(() => CharacterTokenizer.FromText("abcdf\n").Encode(text)).Message;

        Assert.Contains(expected, message);
        Assert.Contains("6 characters lacks: abcdf", message);
    }

    [Fact]
    public void A_vocabulary_needs_characters_and_none_twice()
    {
        Assert.Throws<ArgumentException>(() => new CharacterTokenizer([]));
        Assert.Contains("U+0061 has ids 0 and 2", Assert.Throws<ArgumentException>(() => new CharacterTokenizer("aba".EnumerateRunes())).Message);
        Assert.Throws<ArgumentException>(() => CharacterTokenizer.FromText(""));
    }

    [Fact]
    public void The_end_of_text_written_out_is_characters()
    {
        var tokenizer = CharacterTokenizer.FromText("<|endoftext|>");
        Assert.Equal(13, tokenizer.Encode("<|endoftext|>", allowSpecial: true).Count);
    }

    [Fact]
    public void A_stream_of_characters_shows_each_at_once()
    {
        var tokenizer = CharacterTokenizer.FromText("a\u00E9\U0001F600");
        var decoder = tokenizer.CreateStreamDecoder();
        Assert.Equal(["\U0001F600", "a", "\u00E9"], new[] { 2, 0, 1 }.Select(decoder.Decode));
        Assert.Equal("", decoder.Flush());
    }

    [Theory]
    [InlineData("")]
    [InlineData("a\nb\n")]
    [InlineData("\u00E9\n\U0001F600x")]
    public void A_place_counts_characters_lines_and_columns_across_parts(string second)
    {
        var first = string.Concat(Enumerable.Repeat("12\u00E945\n7\U0001F600", 20));
        var bytes = Encoding.UTF8.GetBytes(first + second);
        var lines = (first + second).Split('\n');

        var place = TextPosition.Start.After(Encoding.UTF8.GetBytes(first)).After(Encoding.UTF8.GetBytes(second));

        Assert.Equal(place, TextPosition.Start.After(bytes));
        Assert.Equal((first + second).EnumerateRunes().Count(), place.Characters);
        Assert.Equal(lines.Length, place.Line);
        Assert.Equal(lines[^1].EnumerateRunes().Count() + 1, place.Column);
    }
}
