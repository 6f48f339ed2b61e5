// What rounded weights cost a model of GPT-2 124M's shape, in loss. No trained weights are at hand, so the text is the model's
// own: drawn from it in float32, where its loss is the entropy of what it says, and any other model's is higher.

using System.Diagnostics;
using NanoGpt.Inference;

namespace NanoGpt.Benchmarks;

internal static class Rounding
{
    public static int Run(ReadOnlySpan<string> arguments)
    {
        var count = arguments.Length > 0 ? int.Parse(arguments[0]) : 600;
        Console.WriteLine(Machine.Line());

        // Blocks strong enough that the text depends on them, and logits that spread so far that the loss is near GPT-2's.
        // A head of its own, or each token would predict itself.
        using var weights = MadeWeights.Random(GPTConfig.Gpt2 with { TieWordEmbeddings = false }, name => name switch
        {
            "lm_head.weight" => 0.12f,
            _ when name.Contains("ln_", StringComparison.Ordinal) => 0.1f,
            _ when name.StartsWith("h.", StringComparison.Ordinal) => 0.06f,
            _ => 0.02f,
        });
        int[] text;
        double exact;
        using (var model = InferenceModel.Create(weights))
        using (var generator = new Generator(() => model, tokenizer: null))
        {
            text = [0, .. generator.GenerateTokens([0], new() { MaxNewTokens = count, Temperature = 1, TopK = 0, Seed = 1, StopAtEndOfText = false })];
            exact = generator.Score(text).Loss;
        }

        Console.WriteLine($"{count} tokens drawn from the model, {text.Distinct().Count()} different ones; float32 loss {exact:F4}");
        foreach (var dtype in new[] { Dtype.BFloat16, Dtype.Int8 })
        {
            var start = Stopwatch.GetTimestamp();
            using var model = InferenceModel.Create(weights, dtype);
            using var generator = new Generator(() => model, tokenizer: null);
            var loss = generator.Score(text).Loss;
            Console.WriteLine($"{dtype} loss {loss:F4}, {loss / exact - 1:P3} ({Stopwatch.GetElapsedTime(start).TotalSeconds:F1} s)");
        }

        return 0;
    }
}
