// The code of docs/chat-and-servers.md.

using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;
using NanoGpt.Chat;

namespace NanoGpt.Consumer;

internal static class ChatExamples
{
    public static async Task Client()
    {
        #region chat client
        using var gpt = GPT.FromPretrained("gpt2");
        using var chat = gpt.AsChatClient();

        await foreach (var update in chat.GetStreamingResponseAsync("What is the sea?", new() { MaxOutputTokens = 20, Seed = 1 }))
            Console.Write(update);
        #endregion
        Console.WriteLine();
    }

    public static async Task Template()
    {
        using var gpt = GPT.FromPretrained("gpt2");
        #region template
        var interview = new ChatTemplate
        {
            BeforeUser = "Q: ", AfterUser = "\n", BeforeAssistant = "A:", AfterAssistant = "\n", AfterSystem = "\n\n",
        };
        using var chat = gpt.AsChatClient(new() { Template = interview, Generation = new() { MaxNewTokens = 20, Temperature = 0.7 } });
        Console.WriteLine(await chat.GetResponseAsync("Why is the sky blue?", new() { Instructions = "An interview with a physicist." }));
        #endregion
    }

    public static async Task Talk()
    {
        using var gpt = GPT.FromPretrained("gpt2");
        using var chat = gpt.AsChatClient(new() { Generation = new() { MaxNewTokens = 5 } });
        new Conversation().Save("talk.json");
        #region conversation
        var talk = Conversation.Load("talk.json");   // or new Conversation { Instructions = "..." }
        talk.Add(ChatRole.User, "And what then?");

        var answer = await chat.GetResponseAsync(talk.ToMessages());
        talk.Add(ChatRole.Assistant, answer.Text);
        talk.Save("talk.json");
        Console.WriteLine($"{answer.Usage!.CachedInputTokenCount} of {answer.Usage.InputTokenCount} prompt tokens were known");
        #endregion
    }

    public static async Task Embeddings()
    {
        using var gpt = GPT.FromPretrained("gpt2");
        #region embeddings
        using var embeddings = gpt.AsEmbeddingGenerator();
        var vectors = await embeddings.GenerateAsync(["A small boat.", "A little ship."]);
        Console.WriteLine($"{vectors.Count} vectors of {vectors[0].Dimensions} numbers, {vectors.Usage!.InputTokenCount} tokens");
        #endregion
    }

    public static async Task Container()
    {
        #region container
        var services = new ServiceCollection();
        services.AddNanoGpt("gpt2", options =>
        {
            options.Pretrained = new() { Dtype = Dtype.Int8 };
            options.Limits = new() { MaxConcurrent = 16, MaxQueued = 100 };
        });

        await using var provider = services.BuildServiceProvider();
        var chat = provider.GetRequiredService<IChatClient>();   // loads the model
        Console.WriteLine(await chat.GetResponseAsync("Hello!", new() { MaxOutputTokens = 10 }));
        #endregion
    }
}
