// A model small enough to be made in each test: random weights, and the characters of the bundled text.

using NanoGpt.Tokenization;

namespace NanoGpt.EndToEnd.Samples;

internal static class TinyModel
{
    public static string Text => Path.Combine(AppContext.BaseDirectory, "Texts", "saltmarrow.txt");

    /// <summary>Writes a model folder and returns its path.</summary>
    public static string Write(string folder)
    {
        var tokenizer = CharacterTokenizer.FromText(File.ReadAllText(Text));
        var config = new GPTConfig { VocabSize = tokenizer.VocabSize, BlockSize = 32, NLayer = 2, NHead = 2, NEmbd = 32 };
        using var gpt = new GPT(config, tokenizer);
        gpt.SavePretrained(folder);
        return folder;
    }
}
