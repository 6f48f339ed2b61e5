// The slow, obvious path: Microsoft.ML.Tokenizers with GPT-2's vocabulary as our own tables have it.

using System.Text;
using System.Text.RegularExpressions;
using Microsoft.ML.Tokenizers;
using Tokenizer = NanoGpt.Tokenization.Tokenizer;

namespace NanoGpt.Tests.Tokenization;

internal static partial class MicrosoftTokenizers
{
    /// <summary>TiktokenTokenizer, whose merges go by id.</summary>
    public static TiktokenTokenizer Tiktoken()
    {
        var ranks = new StringBuilder();
        for (var id = 0; id < 50256; id++) ranks.Append(Convert.ToBase64String(Tokenizer.Gpt2.GetBytes(id))).Append(' ').Append(id).Append('\n');
        using var stream = new MemoryStream(Encoding.ASCII.GetBytes(ranks.ToString()));
        return TiktokenTokenizer.Create(stream, new RegexPreTokenizer(Pattern(), null), null);
    }

    /// <summary>BpeTokenizer over vocabulary files, whose merges go by their order.</summary>
    public static BpeTokenizer Bpe(string folder) => BpeTokenizer.Create(
        new BpeOptions(Path.Combine(folder, "vocab.json"), Path.Combine(folder, "merges.txt"))
        {
            ByteLevel = true,
            PreTokenizer = new RegexPreTokenizer(Pattern(), null),
        });

    /// <summary>GPT-2's split pattern as it was published.</summary>
    [GeneratedRegex(@"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")]
    public static partial Regex Pattern();
}
