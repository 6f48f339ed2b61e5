// A GPT that says what it is told to say, in a folder of its own: for the ends and pieces of answers.

using NanoGpt.Formats;
using NanoGpt.Tests.Inference;
using NanoGpt.Tokenization;

namespace NanoGpt.Tests.Chat;

/// <summary>Answers a given prompt with a given text, whatever the prompt says: it counts positions.</summary>
internal sealed class ScriptedGpt : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    /// <param name="prompt">The prompt that will be sent, as one text.</param>
    /// <param name="answer">What follows it.</param>
    /// <param name="room">Positions that are left after the answer.</param>
    public ScriptedGpt(string prompt, string answer, int room = 8)
    {
        var ids = Tokenizer.Gpt2.Encode(answer);
        var script = Enumerable.Repeat(0, Tokenizer.Gpt2.Encode(prompt).Count - 1).Concat(ids).Concat(Enumerable.Repeat(0, room)).ToArray();
        using var weights = MadeModels.Scripted(50257, script);
        ModelFolder.Save(_folder.Path, weights.Config, weights);
        Tokenizer.Gpt2.Save(_folder.Path);
        Gpt = GPT.FromPretrained(_folder.Path);
    }

    public GPT Gpt { get; }

    public void Dispose()
    {
        Gpt.Dispose();
        _folder.Dispose();
    }
}
