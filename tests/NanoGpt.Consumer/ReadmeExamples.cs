// The code of README.md.

using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;
using NanoGpt.Data;

namespace NanoGpt.Consumer;

internal static class ReadmeExamples
{
    public static void FourLines()
    {
        #region four lines
        using var gpt = GPT.FromPretrained("gpt2");   // from the Hugging Face Hub, or a folder
        Console.WriteLine(gpt.Generate("Hello,", new() { MaxNewTokens = 40, Temperature = 0.8, TopK = 40, Seed = 1337 }));
        #endregion
    }

    public static void FineTune()
    {
        #region fine-tune
        using var gpt = GPT.FromPretrained("gpt2");
        using var data = TokenDataset.FromText("input.txt", gpt.Tokenizer);

        var options = new TrainerOptions { MaxIters = 100, BatchSize = 4, BlockSize = 64, LearningRate = 3e-5, EvalInterval = 50, EvalIters = 10, OutDir = "out" };
        var result = new Trainer(gpt, options).Train(data);

        Console.WriteLine($"validation loss {result.BestValLoss:F3}");
        gpt.SavePretrained("out/final");   // a folder that transformers opens too
        #endregion
    }

    public static async Task Chat()
    {
        #region chat
        using var gpt = GPT.FromPretrained("gpt2");
        using IChatClient chat = gpt.AsChatClient();

        await foreach (var update in chat.GetStreamingResponseAsync("Who lives in a lighthouse?", new() { MaxOutputTokens = 40 }))
            Console.Write(update.Text);
        #endregion
        Console.WriteLine();
    }

    public static void Services()
    {
        #region services
        var services = new ServiceCollection();
        services.AddNanoGpt("gpt2");   // GPT, Generator, IChatClient, IEmbeddingGenerator, each once
        #endregion
        using var provider = services.BuildServiceProvider();
        Console.WriteLine(provider.GetRequiredService<GPT>().Config.NLayer);
    }
}
