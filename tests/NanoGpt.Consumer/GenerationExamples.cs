// The code of docs/generation.md.

namespace NanoGpt.Consumer;

internal static class GenerationExamples
{
    public static async Task Streaming()
    {
        #region streaming
        using var gpt = GPT.FromPretrained("gpt2");
        await foreach (var piece in gpt.GenerateStreamingAsync("Once upon a time", new() { MaxNewTokens = 30 }))
            Console.Write(piece);
        #endregion
        Console.WriteLine();
    }

    public static void Sampling()
    {
        using var gpt = GPT.FromPretrained("gpt2");
        #region sampling
        var careful = new GenerationOptions { MaxNewTokens = 20, Temperature = 0 };                 // always the likeliest token
        var varied = new GenerationOptions { MaxNewTokens = 20, Temperature = 1, TopK = 0, TopP = 0.9, Seed = 42 };
        var polite = varied with { StopStrings = ["\n\n"], BadWords = ["damn"], RepetitionPenalty = 1.2 };

        Console.WriteLine(gpt.Generate("The weather is", careful));
        Console.WriteLine(gpt.Generate("The weather is", polite));
        #endregion
    }

    public static void Results()
    {
        using var gpt = GPT.FromPretrained("gpt2");
        #region results
        using var generator = new Generator(gpt);
        var options = new GenerationOptions { MaxNewTokens = 10, ReturnSequences = 3, LogProbabilities = 2, Seed = 1 };

        foreach (var result in generator.GenerateResults("Two plus two is", options))
        {
            Console.WriteLine($"{result.Text} ({result.FinishReason}, {result.Tokens.Count} tokens)");
            Console.WriteLine($"first token: {result.Tokens[0].LogProbability:F2}, likeliest: {result.Tokens[0].Top[0].LogProbability:F2}");
        }

        foreach (var results in generator.GenerateBatch(["One", "Two", "Three"], options with { ReturnSequences = 1 }).Select(r => r.Text))
            Console.WriteLine(results);
        #endregion
    }

    public static void Score()
    {
        using var gpt = GPT.FromPretrained("gpt2");
        #region score
        using var generator = new Generator(gpt);
        var score = generator.Score("The cat sat on the mat.");
        Console.WriteLine($"loss {score.Loss:F3}, perplexity {score.Perplexity:F1} over {score.Count} tokens");
        #endregion
    }

    public static void SmallAndFast()
    {
        #region small and fast
        using var gpt = GPT.FromPretrained("gpt2", new() { Dtype = Dtype.Int8 });
        Console.WriteLine(gpt.Generate("Hello,", new() { MaxNewTokens = 20 }));
        #endregion
    }
}
