// Random text made of what tokenizers trip over: runs of spaces, contractions, letters of every plane, controls, emoji,
// special tokens written out. Valid UTF-16 always.

using System.Text;

namespace NanoGpt.Tests.Tokenization;

internal static class HostileText
{
    private static readonly string[] Parts =
    [
        " ", "  ", "\n", "\r\n", "\t", "\u00A0", "\u0085", "\u2003", "\u3000", "\u200B", "\uFEFF", "\u001C",
        "'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'LL", "'", "''", "\u2019s",
        "the", " the", "The", "ing", " and", "antidisestablishmentarianism", "xyzzy", "I", "don't", "na\u00EFve", "\u00E9", "e\u0301",
        "0", "12", " 1999", "3.14", "\u00BD", "\u0663", "\u2167",
        ".", "...", "!?", "--", "://", "{}", "();", "$", "<|endoftext|>", "<|", "|>",
        "\u4F60\u597D", "\u3053\u3093", "\u0645\u0631\u062D\u0628\u0627", "\u05E9\u05DC", "\u0939\u093F", "\u0E44\u0E17\u0E22",
        "\U0001F600", "\U0001F468\u200D\U0001F469", "\U0001F1E9\U0001F1EA", "\0", "\u0007", "\uFFFD", "\uFFFF", "\U0010FFFF",
    ];

    private static readonly string[] LettersAndDigitsOfOtherPlanes = ["\U0001D49C", "\U00020000", "\U00010400", "\U0001D7D8"];

    public static string Next(Random random, int parts, bool allPlanes = true)
    {
        var text = new StringBuilder();
        for (var i = 0; i < parts; i++)
        {
            text.Append(random.Next(20) switch
            {
                0 => new string(' ', random.Next(1, 12)),
                1 => new string((char)random.Next('a', 'z' + 1), random.Next(1, 300)),
                2 => RandomRune(random, allPlanes).ToString(),
                4 when allPlanes => LettersAndDigitsOfOtherPlanes[random.Next(4)],
                3 => ((char)random.Next(32, 127)).ToString(),
                _ => Parts[random.Next(Parts.Length)],
            });
        }

        return text.ToString();
    }

    private static Rune RandomRune(Random random, bool allPlanes)
    {
        for (; ; )
        {
            if (Rune.TryCreate(allPlanes && random.Next(3) == 0 ? random.Next(0x110000) : random.Next(0x10000), out var rune)) return rune;
        }
    }
}
