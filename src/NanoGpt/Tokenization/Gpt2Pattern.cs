// GPT-2's split pattern, written out as a scanner over UTF-8. What it replaces:
//     's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
// A .NET Regex sees UTF-16 units, where letters and digits beyond U+FFFF are not letters or digits; this sees code points.

using System.Globalization;
using System.Text;

namespace NanoGpt.Tokenization;

/// <summary>Splits text into the pieces within which GPT-2 merges bytes. Linear in the text, whatever it is.</summary>
internal static class Gpt2Pattern
{
    private const byte Other = 0, Letter = 1, Number = 2, Space = 3;

    private static readonly byte[] ClassOfBmp = ClassifyBmp();

    /// <summary>Length in bytes of the piece at the start of <paramref name="text"/>, which is not empty.</summary>
    /// <param name="text">UTF-8. A malformed byte counts as U+FFFD does: neither letter, digit nor space.</param>
    public static int FirstPiece(ReadOnlySpan<byte> text)
    {
        var first = ClassAt(text, 0, out var length);
        if (text[0] == '\'' && Contraction(text) is var contraction and > 0) return contraction;
        if (first != Space) return EndOfRun(text, length, first);

        if (text[0] == ' ' && text.Length > 1 && ClassAt(text, 1, out var next) is var second && second != Space)
            return EndOfRun(text, 1 + next, second);

        return WhiteSpace(text, length);
    }

    /// <summary>
    /// The last place in <paramref name="text"/> where a piece begins whatever comes before and after: between a character
    /// that is no white space and one that is. Negative where there is none.
    /// </summary>
    public static int LastSafeCut(ReadOnlySpan<byte> text)
    {
        var later = Other;
        for (var end = text.Length; end > 0;)
        {
            Rune.DecodeLastFromUtf8(text[..end], out var rune, out var length);
            var kind = ClassOf(rune);
            if (later == Space && kind != Space) return end;
            later = kind;
            end -= length;
        }

        return -1;
    }

    private static int Contraction(ReadOnlySpan<byte> text)
    {
        if (text.Length < 2) return 0;
        if (text[1] is (byte)'s' or (byte)'t' or (byte)'m' or (byte)'d') return 2;
        return text.Length > 2 && (text[1], text[2]) is ((byte)'r', (byte)'e') or ((byte)'v', (byte)'e') or ((byte)'l', (byte)'l') ? 3 : 0;
    }

    private static int EndOfRun(ReadOnlySpan<byte> text, int position, byte kind)
    {
        while (position < text.Length && ClassAt(text, position, out var length) == kind) position += length;
        return position;
    }

    // \s+(?!\S) gives its last character back where something else follows; \s+ takes a single one that it left.
    private static int WhiteSpace(ReadOnlySpan<byte> text, int position)
    {
        var last = 0;
        while (position < text.Length && ClassAt(text, position, out var length) == Space)
        {
            last = position;
            position += length;
        }

        return position == text.Length || last == 0 ? position : last;
    }

    private static byte ClassAt(ReadOnlySpan<byte> text, int position, out int length)
    {
        var b = text[position];
        if (b < 0x80)
        {
            length = 1;
            return ClassOfBmp[b];
        }

        Rune.DecodeFromUtf8(text[position..], out var rune, out length);
        return ClassOf(rune);
    }

    private static byte ClassOf(Rune rune) => rune.IsBmp ? ClassOfBmp[rune.Value] : Classify(rune.Value);

    private static byte[] ClassifyBmp()
    {
        var classes = new byte[0x10000];
        for (var c = 0; c < classes.Length; c++) classes[c] = Classify(c);
        return classes;
    }

    // \s is the Unicode property White_Space, which char.IsWhiteSpace is too.
    private static byte Classify(int codePoint) => CharUnicodeInfo.GetUnicodeCategory(codePoint) switch
    {
        <= UnicodeCategory.OtherLetter => Letter,
        UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => Number,
        _ => codePoint <= char.MaxValue && char.IsWhiteSpace((char)codePoint) ? Space : Other,
    };
}
