using NanoGpt.IO;

namespace NanoGpt.Tests.IO;

public sealed class UntrustedTextTests
{
    [Theory]
    [InlineData("wte.weight", "'wte.weight'")]
    [InlineData("模型 \U0001F600", "'模型 \U0001F600'")]
    [InlineData("\u001b[31mred", "'\\u001b[31mred'")]
    [InlineData("a\nb\u2028c", "'a\\u000ab\\u2028c'")]
    [InlineData("abc\u202etxt", "'abc\\u202etxt'")] // would show the rest from right to left
    public void A_quoted_text_shows_what_is_there_and_obeys_nothing(string text, string expected) => Assert.Equal(expected, UntrustedText.Quote(text));

    [Fact]
    public void Half_a_surrogate_pair_is_shown_as_what_it_is() => Assert.Equal("'a\\ud800b'", UntrustedText.Quote("a\ud800b")); // no attribute can carry it

    [Fact]
    public void A_long_text_is_cut() => Assert.Equal($"'{new string('x', 120)}...'", UntrustedText.Quote(new string('x', 100_000)));

    [Fact]
    public void A_long_list_is_counted()
    {
        var list = UntrustedText.List([.. Enumerable.Range(0, 205).Select(i => $"t{i}")]);
        Assert.StartsWith("'t0', 't1', ", list, StringComparison.Ordinal);
        Assert.EndsWith("'t199' and 5 more", list, StringComparison.Ordinal);
    }
}
