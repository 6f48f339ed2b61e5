// Changes that are likely to matter to a parser, made at random places: in bytes, in JSON text, in pickles.

using System.Text;

namespace NanoGpt.Fuzz;

/// <summary>Random changes to inputs.</summary>
internal static class Mutator
{
    private static readonly string[] Numbers =
    [
        "0", "-0", "-1", "1", "2", "3", "7", "8", "11", "12", "32", "64", "65", "1e1", "1.0", "0.5", "1e-5", "1e400", "-1e400", "2147483647", "2147483648",
        "4294967295", "4294967296", "4611686018427387904", "9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616",
        "99999999999999999999999999999999", "null", "true", "false", "\"1\"", "[]", "{}", "[0,0]", "NaN", "Infinity", "01", "+1", "0x1", "\"\"",
    ];

    private static readonly string[] Texts =
    [
        "F32", "F16", "BF16", "F64", "I64", "BOOL", "U8", "F4", "F6_E2M3", "F8_E8M0", "C64", "f32", "dtype", "shape", "data_offsets", "__metadata__", "weight_map",
        "metadata", "model_type", "gpt2", "llama", "n_embd", "n_head", "n_layer", "n_inner", "vocab_size", "n_positions", "bias", "activation_function", "gelu",
        "tie_word_embeddings", "add_cross_attention", "lm_head.weight", "wte.weight", "transformer.wte.weight", "h.0.attn.bias", "h.1.ln_1.weight",
        "h.2147483647.ln_1.weight", "_orig_mod.", "../x", "..\\\\x", "/etc/passwd", "C:x", "nul", "a\\u0000b", "\\ud800", "\\udc00\\ud800", "\\uD83D\\uDE00",
        "\u00e9", "\u4e2d", "\ufeff", "\u202e", "\\u001b[2J", "",
    ];

    private static readonly string[] Pieces = ["{", "}", "[", "]", ",", ":", "\"", "\\", " ", "\n", "\0", "//", "/*", "[[[[[[[[", "{\"a\":{\"a\":", "]]]]", "}}}}"];

    /// <summary>One to eight changes of single bytes, ranges and the length.</summary>
    public static byte[] Bytes(byte[] input, Random random, byte[] other)
    {
        var bytes = new List<byte>(input);
        for (var changes = Count(random, 8); changes > 0; changes--)
        {
            var at = random.Next(bytes.Count + 1);
            switch (random.Next(8))
            {
                case 0 when at < bytes.Count: bytes[at] ^= (byte)(1 << random.Next(8)); break;
                case 1 when at < bytes.Count: bytes[at] = (byte)random.Next(256); break;
                case 2 when at < bytes.Count: bytes[at] = (byte)(random.Next(2) * 255); break;
                case 3: bytes.RemoveRange(at, Math.Min(Length(random), bytes.Count - at)); break;
                case 4: bytes.InsertRange(at, [.. Enumerable.Repeat((byte)random.Next(256), Length(random))]); break;
                case 5: bytes.InsertRange(at, bytes.GetRange(at, Math.Min(Length(random), bytes.Count - at))); break; // repeat a range
                case 6: // splice a range of another file
                    var from = random.Next(other.Length + 1);
                    bytes.InsertRange(at, other[from..Math.Min(other.Length, from + Length(random))]);
                    break;
                case 7 when random.Next(4) == 0: bytes.RemoveRange(at, bytes.Count - at); break; // cut off
            }
        }

        return [.. bytes];
    }

    /// <summary>One to six changes to JSON text: numbers, strings and structure.</summary>
    public static byte[] Json(string json, Random random)
    {
        for (var changes = Count(random, 6); changes > 0; changes--)
        {
            json = random.Next(10) switch
            {
                0 or 1 or 2 => Replace(json, random, char.IsAsciiDigit, Pick(Numbers, random)),
                3 or 4 => Replace(json, random, c => char.IsAsciiLetter(c) || c is '_' or '.', Pick(Texts, random)),
                5 => Insert(json, random, Pick(Pieces, random)),
                6 => Delete(json, random),
                7 => RepeatMember(json, random),
                8 => Insert(json, random, ",\"" + Pick(Texts, random) + "\":" + Pick(Numbers, random)),
                _ => random.Next(50) == 0 ? Insert(json, random, string.Concat(Enumerable.Repeat(Pick(Pieces, random), 2000))) : Swap(json, random),
            };
        }

        var bytes = Encoding.UTF8.GetBytes(json);
        if (bytes.Length > 0 && random.Next(40) == 0) bytes[random.Next(bytes.Length)] = (byte)random.Next(128, 256);
        return bytes;
    }

    public static T Pick<T>(IReadOnlyList<T> choices, Random random) => choices[random.Next(choices.Count)];

    /// <summary>How many changes to one input: mostly one, so that what lies behind the first check is reached too.</summary>
    public static int Count(Random random, int most) => random.Next(2) == 0 ? 1 : random.Next(1, most + 1);

    private static int Length(Random random) => 1 << random.Next(10);

    /// <summary>Replaces a run of characters of one kind near a random place.</summary>
    private static string Replace(string text, Random random, Func<char, bool> isKind, string with)
    {
        var at = text.Length == 0 ? 0 : random.Next(text.Length);
        while (at < text.Length && !isKind(text[at])) at++;
        var end = at;
        while (end < text.Length && isKind(text[end])) end++;
        while (at > 0 && isKind(text[at - 1])) at--;
        return text[..at] + with + text[end..];
    }

    private static string Insert(string text, Random random, string piece) => text.Insert(random.Next(text.Length + 1), piece);

    private static string Delete(string text, Random random)
    {
        var at = random.Next(text.Length + 1);
        return text.Remove(at, Math.Min(Length(random), text.Length - at));
    }

    /// <summary>Writes one member of an object again: duplicate keys.</summary>
    private static string RepeatMember(string text, Random random)
    {
        var comma = text.IndexOf(',', random.Next(text.Length + 1));
        if (comma < 0) return text;
        var next = text.IndexOf(',', comma + 1);
        return next < 0 ? text : text.Insert(comma, text[comma..next]);
    }

    private static string Swap(string text, Random random)
    {
        if (text.Length < 2) return text;
        var (a, b) = (random.Next(text.Length), random.Next(text.Length));
        (a, b) = (Math.Min(a, b), Math.Max(a, b));
        return text[b..] + text[a..b] + text[..a];
    }
}
