// The code of docs/model-walkthrough.md.

using static TorchSharp.torch;

namespace NanoGpt.Consumer;

internal static class WalkthroughExamples
{
    public static void Shapes()
    {
        #region shapes
        using var gpt = GPT.FromPretrained("gpt2");
        var network = gpt.Network;                                                // loads libtorch
        network.eval();                                                           // no dropout
        using var scope = NewDisposeScope();

        var ids = gpt.Tokenizer.Encode("The quick brown fox jumps");              // T numbers below V
        var idx = tensor(ids.Select(id => (long)id).ToArray()).unsqueeze(0);      // (B, T) with B = 1
        var x = network.Embed(idx);                                               // (B, T) -> (B, T, C)
        foreach (var block in network.Blocks) x = block.forward(x);               // (B, T, C) -> (B, T, C)
        var logits = network.Logits(x);                                           // (B, T, C) -> (B, T, V)
        var next = logits[0, -1].argmax().item<long>();                           // one of V

        Console.WriteLine($"{gpt.Tokenizer.Decode([(int)next])} from logits {string.Join(" x ", logits.shape)}");
        #endregion
    }
}
