// Where in a text a byte is, said the way a person looks for it. For messages only.

using System.Numerics;
using System.Runtime.InteropServices;
using System.Text;

namespace NanoGpt.Tokenization;

/// <summary>A place in a text, counted while reading along.</summary>
/// <param name="Characters">Characters (code points) before it.</param>
/// <param name="Line">Its line, from 1.</param>
/// <param name="Column">Its character in the line, from 1.</param>
internal readonly record struct TextPosition(long Characters, long Line, long Column)
{
    /// <summary>The beginning of a text.</summary>
    public static TextPosition Start { get; } = new(0, 1, 1);

    /// <summary>The place after <paramref name="utf8"/>, which begins here.</summary>
    public TextPosition After(ReadOnlySpan<byte> utf8)
    {
        var characters = CountCharacters(utf8);
        var lastLine = utf8[(utf8.LastIndexOf((byte)'\n') + 1)..];
        var lines = utf8.Count((byte)'\n');
        return new(Characters + characters, Line + lines, lines == 0 ? Column + characters : 1 + CountCharacters(lastLine));
    }

    /// <summary>Says which character begins <paramref name="rest"/>, and that it is here.</summary>
    public string Describe(ReadOnlySpan<byte> rest)
    {
        Rune.DecodeFromUtf8(rest, out var rune, out _);
        var shown = Rune.IsControl(rune) ? "" : $"'{rune}' ";
        return FormattableString.Invariant($"{shown}(U+{rune.Value:X4}) at position {Characters} (line {Line}, column {Column})");
    }

    /// <summary>Number of code points: of bytes that are no continuation bytes.</summary>
    public static long CountCharacters(ReadOnlySpan<byte> utf8)
    {
        const sbyte FirstThatBegins = -64; // 0b11000000: continuation bytes are below it as signed numbers
        long count = 0;
        var bytes = MemoryMarshal.Cast<byte, sbyte>(utf8);
        for (; bytes.Length >= Vector<sbyte>.Count; bytes = bytes[Vector<sbyte>.Count..])
            count -= Vector.Sum(Vector.GreaterThanOrEqual(new Vector<sbyte>(bytes), new Vector<sbyte>(FirstThatBegins)));

        foreach (var b in bytes)
        {
            if (b >= FirstThatBegins) count++;
        }

        return count;
    }

    /// <summary>Where the character with the given number, from 0, begins; the text's length where it has no more than these.</summary>
    public static int IndexOfCharacter(ReadOnlySpan<byte> utf8, long number)
    {
        const int Step = 1024;
        var index = 0;
        for (; utf8.Length - index > Step && CountCharacters(utf8.Slice(index, Step)) is var count && count <= number; index += Step) number -= count;
        for (; index < utf8.Length; index++)
        {
            if ((sbyte)utf8[index] >= -64 && number-- == 0) break;
        }

        return index;
    }
}
