// Many at once on one model. In a process of its own, whose memory is nobody else's.

using System.Diagnostics;
using System.Globalization;

namespace NanoGpt.EndToEnd.Generation;

public sealed class ConcurrencyTests
{
    private const int Users = 64, Requests = 60;

    [Fact]
    public void Of_64_at_once_each_gets_the_answer_that_it_would_get_alone_and_memory_stays_flat()
    {
        var seconds = TestLength.Choose(6, 120);
        using var process = Process.Start(new ProcessStartInfo("dotnet", [typeof(ConcurrencyTests).Assembly.Location, "child", "concurrency", $"{seconds}"])
        {
            RedirectStandardOutput = true,
        })!;
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        TestContext.Current.TestOutputHelper?.WriteLine(output);
        Assert.Equal(0, process.ExitCode);
        var (answers, wrong, early, late) = output.Trim().Split(' ').Select(long.Parse).ToArray() switch
        {
            [var a, var b, var c, var d] => (a, b, c, d),
            _ => throw new InvalidOperationException(output),
        };

        Assert.Equal(0, wrong);
        Assert.True(answers >= Users, $"only {answers} answers");

        // Between a third of the time and its end: what the garbage collector lets lie, not what is lost with every answer.
        Assert.True(late - early <= 24 << 20, $"{early >> 20} MB grew to {late >> 20} MB");
    }

    /// <summary>Prints how many answers were compared, how many were not the expected ones, and the resident bytes early and late.</summary>
    internal static async Task<int> InChildAsync(string secondsText)
    {
        var time = TimeSpan.FromSeconds(int.Parse(secondsText, CultureInfo.InvariantCulture));
        using var gpt = GPT.FromPretrained(Bundled.Model);
        var requests = MakeRequests(Bundled.Text(gpt.Tokenizer));
        string[] alone;
        using (var generator = new Generator(gpt, new() { KeptContexts = 0 }))
            alone = Array.ConvertAll(requests, request => generator.Generate(request.Prompt, request.Options));

        using var shared = new Generator(gpt, new() { MaxConcurrent = 48 }); // so that some wait in the queue
        // Many of the users wait in a thread of the pool, which adds threads slowly.
        ThreadPool.SetMinThreads(2 * Users, 2 * Users);
        var (answers, wrong) = (0L, 0L);
        var clock = Stopwatch.StartNew();
        var users = Enumerable.Range(0, Users).Select(user => Task.Run(async () =>
        {
            var random = new Random(user);
            while (clock.Elapsed < time)
            {
                var i = random.Next(Requests);
                if (!await AskAsync(shared, requests[i], alone[i], random)) Interlocked.Increment(ref wrong);
                Interlocked.Increment(ref answers);
            }
        })).ToArray();
        await Task.Delay(time / 3);
        var early = Resident();
        await Task.WhenAll(users);
        Console.Write($"{answers} {wrong} {early} {Resident()}");
        return 0;
    }

    private static (string Prompt, GenerationOptions Options)[] MakeRequests(string text)
    {
        var random = new Random(1);
        return Enumerable.Range(0, Requests).Select(i =>
        {
            // Prompts that begin alike, and longer ones than the context of 128.
            var start = random.Next(4) * 1000;
            var prompt = text.Substring(start, random.Next(1, i % 20 == 0 ? 150 : 60));
            var options = new GenerationOptions { MaxNewTokens = random.Next(1, 50), Seed = i };
            return (prompt, (i % 6) switch
            {
                0 => options with { Temperature = 0 },
                1 => options with { TopK = 0, TopP = 0.9, Temperature = 1.2 },
                2 => options with { StopStrings = ["the", ".\n"], RepetitionPenalty = 1.1 },
                3 => options with { ReturnSequences = 2, MinP = 0.05 },
                4 => options with { Beams = 3 },
                _ => options with { NoRepeatNgramSize = 4, FrequencyPenalty = 0.5, LogProbabilities = 3 },
            });
        }).ToArray();
    }

    /// <summary>Asks in one of the ways there are; false where the answer, or as much of it as was waited for, is another.</summary>
    private static async Task<bool> AskAsync(Generator generator, (string Prompt, GenerationOptions Options) request, string expected, Random random)
    {
        var (prompt, options) = request;
        var canStream = options is { Beams: 1, ReturnSequences: 1 };
        switch (random.Next(canStream ? 6 : 3))
        {
            case 0: return generator.Generate(prompt, options) == expected;
            case 1: return await generator.GenerateAsync(prompt, options) == expected;
            case 2: return generator.GenerateBatch([prompt, prompt], options).Chunk(options.ReturnSequences).All(results => results[0].Text == expected);
            case 3: return string.Concat(generator.GenerateStreaming(prompt, options)) == expected;
            case 4:
                var text = "";
                await foreach (var piece in generator.GenerateStreamingAsync(prompt, options)) text += piece;
                return text == expected;
            default: return await LeaveEarlyAsync(generator, request, expected, random.Next(1, 20));
        }
    }

    private static async Task<bool> LeaveEarlyAsync(Generator generator, (string Prompt, GenerationOptions Options) request, string expected, int pieces)
    {
        var shown = "";
        using var source = new CancellationTokenSource();
        try
        {
            await foreach (var piece in generator.GenerateStreamingAsync(request.Prompt, request.Options, source.Token))
            {
                shown += piece;
                if (--pieces == 0) await source.CancelAsync();
            }
        }
        catch (OperationCanceledException)
        {
            // As asked.
        }

        return expected.StartsWith(shown, StringComparison.Ordinal);
    }

    private static long Resident()
    {
        GC.Collect();
        using var process = Process.GetCurrentProcess();
        return process.WorkingSet64;
    }
}
