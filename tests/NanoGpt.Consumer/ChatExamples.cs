// The code of docs/chat.md.

using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;

namespace NanoGpt.Consumer;

internal static class ChatExamples
{
    public static async Task Services()
    {
        #region services
        var services = new ServiceCollection();
        services.AddNanoGpt("gpt2");
        await using var provider = services.BuildServiceProvider();

        var chat = provider.GetRequiredService<IChatClient>();
        var response = await chat.GetResponseAsync("Hello!", new() { MaxOutputTokens = 20 });
        Console.WriteLine(response.Text);
        #endregion
    }

    public static async Task Conversation()
    {
        #region conversation
        using var gpt = GPT.FromPretrained("gpt2");
        using var chat = gpt.AsChatClient();

        List<ChatMessage> messages = [new(ChatRole.System, "You answer briefly."), new(ChatRole.User, "What is a lighthouse?")];
        var response = await chat.GetResponseAsync(messages, new() { MaxOutputTokens = 20, Temperature = 0.7f, Seed = 1 });
        messages.AddRange(response.Messages);
        messages.Add(new(ChatRole.User, "And who lives there?"));
        response = await chat.GetResponseAsync(messages, new() { MaxOutputTokens = 20 });

        Console.WriteLine($"{response.Text} ({response.FinishReason}, {response.Usage?.OutputTokenCount} tokens)");
        #endregion
    }
}
