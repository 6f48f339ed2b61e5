// What rounded weights cost, in loss: a model's on a text that it has not seen, or, where no trained weights are at hand, that of
// random weights of GPT-2 124M's shape on a text of their own, drawn from them in float32: no other model's loss on it is lower.

using System.Diagnostics;
using NanoGpt.Data;
using NanoGpt.Formats;
using NanoGpt.Inference;
using NanoGpt.Tokenization;

namespace NanoGpt.Benchmarks;

internal static class Rounding
{
    public const string Usage = "rounding [TOKENS] | rounding FOLDER TEXT [TOKENS]  (TEXT: a text, or a .bin of ids)";

    public static int Run(ReadOnlySpan<string> arguments)
    {
        Console.WriteLine(Machine.Line());
        if (arguments.Length >= 2) return OfFolder(arguments[0], arguments[1], arguments.Length > 2 ? int.Parse(arguments[2]) : 20_000);
        return OfRandomWeights(arguments.Length > 0 ? int.Parse(arguments[0]) : 600);
    }

    private static int OfFolder(string folder, string text, int count)
    {
        using var weights = ModelFolder.Open(folder);
        var ids = ReadIds(folder, text, count);
        Console.WriteLine($"{folder}: {weights.Config.CountParameters() / 1e6:F0} million parameters, {ids.Length} tokens of {text}");
        Compare(weights, ids);
        return 0;
    }

    private static int OfRandomWeights(int count)
    {
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
        using (var model = InferenceModel.Create(weights))
        using (var generator = new Generator(() => model, tokenizer: null))
            text = [0, .. generator.GenerateTokens([0], new() { MaxNewTokens = count, Temperature = 1, TopK = 0, Seed = 1, StopAtEndOfText = false })];

        Console.WriteLine($"random weights of GPT-2 124M's shape, {count} tokens drawn from them, {text.Distinct().Count()} different ones");
        Compare(weights, text);
        return 0;
    }

    private static int[] ReadIds(string folder, string text, int count)
    {
        if (!text.EndsWith(".bin", StringComparison.Ordinal)) return [.. Tokenizer.Load(folder).Encode(File.ReadAllText(text)).Take(count)];
        using var file = TokenFile.Open(text);
        var ids = new long[Math.Min(count, file.Count)];
        file.CopyTo(0, ids);
        return [.. ids.Select(id => (int)id)];
    }

    /// <summary>The loss in each number format, and how much more than float32's it is.</summary>
    private static void Compare(GPTWeights weights, int[] ids)
    {
        var exact = 0.0;
        foreach (var dtype in new[] { Dtype.Float32, Dtype.BFloat16, Dtype.Int8 })
        {
            var start = Stopwatch.GetTimestamp();
            using var model = InferenceModel.Create(weights, dtype);
            using var generator = new Generator(() => model, tokenizer: null);
            var loss = generator.Score(ids).Loss;
            if (dtype == Dtype.Float32) exact = loss;
            Console.WriteLine($"{dtype} loss {loss:F4}, {loss / exact - 1:P3} ({Stopwatch.GetElapsedTime(start).TotalSeconds:F1} s)");
        }
    }
}
