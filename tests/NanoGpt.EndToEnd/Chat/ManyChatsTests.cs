// Many conversations at the same time over one model, for a while. The long form (NANOGPT_LONG=1) takes two minutes.

using System.Diagnostics;
using Microsoft.Extensions.AI;
using NanoGpt.Chat;
using NanoGpt.EndToEnd.Package;

namespace NanoGpt.EndToEnd.Chat;

public sealed class ManyChatsTests
{
    private const int Chats = 64;
    private static readonly string Model = Repository.File("tests", "NanoGpt.Tests", "Vectors", "tiny-gpt2", "vocab50257");

    [Fact]
    public async Task Each_of_64_chats_gets_the_answers_that_it_gets_alone_and_memory_stays()
    {
        using var gpt = GPT.FromPretrained(Model);
        using var chat = gpt.AsChatClient();
        var alone = new List<string>();
        for (var i = 0; i < Chats; i++) alone.Add(await TalkAsync(chat, i));

        // Two halves, each with a rest after it: what the first leaves is the heap's size under this load, what the second adds to it is a leak.
        var half = TimeSpan.FromSeconds(TestLength.Choose(2, 60));
        var first = await RunAsync();
        var before = Resident();
        var second = await RunAsync();
        var grown = Resident() - before;

        TestContext.Current.SendDiagnosticMessage($"{first} and {second} conversations of three turns in {half.TotalSeconds} s each; resident memory {before:F0} MB, then {grown:+0;-0} MB");
        if (TestLength.IsLong) Assert.InRange(grown, double.NegativeInfinity, 40); // the collector's slack; kept contexts that leak would be 16 KB for each of some 10,000 turns

        async Task<int> RunAsync()
        {
            var watch = Stopwatch.StartNew();
            return (await Task.WhenAll(Enumerable.Range(0, Chats).Select(i => Task.Run(() => RepeatAsync(i, watch))))).Sum();
        }

        async Task CompareAsync(int i) => Assert.Equal(alone[i], await TalkAsync(chat, i));

        async Task<int> RepeatAsync(int i, Stopwatch watch)
        {
            var count = 0;
            do
            {
                await CompareAsync(i);
                count++;
            }
            while (watch.Elapsed < half);

            return count;
        }
    }

    /// <summary>Three turns, with all that was answered.</summary>
    private static async Task<string> TalkAsync(IChatClient chat, int number)
    {
        var conversation = new Conversation { Instructions = number % 2 == 0 ? "Rules. " : "" };
        for (var turn = 0; turn < 3; turn++)
        {
            conversation.Add(ChatRole.User, $"{number}, {turn}?");
            var answer = await chat.GetResponseAsync(conversation.ToMessages(), new() { Seed = number, MaxOutputTokens = 6 + number % 7 });
            conversation.Add(ChatRole.Assistant, answer.Text);
        }

        return string.Join('\n', conversation.Turns.Select(turn => turn.Text));
    }

    private static double Resident()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        using var process = Process.GetCurrentProcess();
        return process.WorkingSet64 / 1e6;
    }
}
