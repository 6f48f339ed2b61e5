// GPT-2's printable alphabet for bytes: vocab.json and merges.txt write each byte of a token as one visible character.
// Only that one-to-one map; what the tokens mean is BytePairVocabulary.cs.

using System.Diagnostics.CodeAnalysis;

namespace NanoGpt.Tokenization;

/// <summary>The map between bytes and characters in GPT-2's vocabulary files (encoder.py, <c>bytes_to_unicode</c>).</summary>
internal static class ByteAlphabet
{
    // The 188 bytes that Latin-1 prints stand for themselves; the other 68 take U+0100 onwards, in byte order.
    private const int FirstStandIn = 256;

    /// <summary>The 256 bytes in the order in which GPT-2 numbers them: the printable ones, then the rest.</summary>
    public static ReadOnlySpan<byte> Order => BytesInOrder;

    private static readonly byte[] BytesInOrder = OrderBytes();

    private static readonly char[] CharOfByte = MapBytes();

    private static readonly short[] ByteOfChar = MapChars();

    /// <summary>Writes bytes as vocabulary files do: <c>" the"</c> is <c>"Ġthe"</c>.</summary>
    public static string Write(ReadOnlySpan<byte> bytes)
    {
        Span<char> chars = bytes.Length <= 256 ? stackalloc char[bytes.Length] : new char[bytes.Length];
        for (var i = 0; i < bytes.Length; i++) chars[i] = CharOfByte[bytes[i]];
        return new string(chars);
    }

    /// <summary>Reads what <see cref="Write"/> writes; false where a character is none of the alphabet.</summary>
    public static bool TryRead(ReadOnlySpan<char> token, [NotNullWhen(true)] out byte[]? bytes)
    {
        bytes = new byte[token.Length];
        for (var i = 0; i < token.Length; i++)
        {
            var value = token[i] < ByteOfChar.Length ? ByteOfChar[token[i]] : -1;
            if (value < 0)
            {
                bytes = null;
                return false;
            }

            bytes[i] = (byte)value;
        }

        return true;
    }

    private static bool IsPrintable(int b) => b is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);

    private static byte[] OrderBytes()
    {
        var order = new byte[256];
        var (printable, other) = (0, 188);
        for (var b = 0; b < 256; b++) order[IsPrintable(b) ? printable++ : other++] = (byte)b;
        return order;
    }

    private static char[] MapBytes()
    {
        var map = new char[256];
        for (var i = 0; i < 256; i++)
        {
            var b = BytesInOrder[i];
            map[b] = (char)(IsPrintable(b) ? b : FirstStandIn + i - 188);
        }

        return map;
    }

    private static short[] MapChars()
    {
        var map = new short[FirstStandIn + 68];
        Array.Fill(map, (short)-1);
        for (var b = 0; b < 256; b++) map[CharOfByte[b]] = (short)b;
        return map;
    }
}
