// The model and the text that come with the console program: small, and trained on something real.

using NanoGpt.Tokenization;

namespace NanoGpt.EndToEnd.Generation;

internal static class Bundled
{
    /// <summary>A character-level GPT of 0.8 million parameters, context 128.</summary>
    public static string Model => Path.Combine(AppContext.BaseDirectory, "BundledModel");

    /// <summary>English prose of some 35,000 characters, without those that the model doesn't know.</summary>
    public static string Text(Tokenizer tokenizer)
    {
        var known = tokenizer.Decode(Enumerable.Range(0, tokenizer.VocabSize)).ToHashSet();
        return string.Concat(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Texts", "saltmarrow.txt")).Where(known.Contains));
    }
}
