using Microsoft.Extensions.Logging.Abstractions;
using NanoGpt.Hub;

namespace NanoGpt.Tests.Hub;

public sealed class HubRetryTests
{
    private static readonly HubException Broken = new(HubErrorKind.Network, "the line broke") { IsTransient = true };

    [Fact]
    public async Task Pauses_double_from_one_second_to_eight_and_the_last_failure_comes_out()
    {
        var time = new RecordingTime();
        var tries = 0;
        var failure = await Assert.ThrowsAsync<HubException>(() => RunAsync(time, _ =>
        {
            tries++;
            throw Broken;
        }));
        Assert.Same(Broken, failure);
        Assert.Equal(5, tries);
        Assert.Equal([1, 2, 4, 8], time.Pauses.Select(pause => pause.TotalSeconds));
    }

    [Fact]
    public async Task Progress_starts_the_count_anew()
    {
        var time = new RecordingTime();
        var tries = 0;
        await RunAsync(time, retry =>
        {
            if (++tries % 4 == 0) retry.Progressed();
            return tries < 20 ? throw Broken : 0;
        });
        Assert.Equal(20, tries);
        Assert.Equal([1, 2, 4, 1, 2, 4, 8], time.Pauses.Take(7).Select(pause => pause.TotalSeconds));
    }

    [Theory]
    [InlineData(30, 30)]
    [InlineData(300, 300)]
    [InlineData(301, null)]
    public async Task A_server_that_names_a_time_is_taken_at_its_word_up_to_five_minutes(int asked, int? waited)
    {
        var time = new RecordingTime();
        var limited = new HubException(HubErrorKind.RateLimited, "too many") { IsTransient = true, RetryAfter = TimeSpan.FromSeconds(asked) };
        var tries = 0;
        var failure = await Record.ExceptionAsync(() => RunAsync(time, _ => tries++ == 0 ? throw limited : 0));
        Assert.Equal(waited is null ? limited : null, failure);
        Assert.Equal(waited is null ? [] : [waited.Value], time.Pauses.Select(pause => (int)pause.TotalSeconds));
    }

    [Fact]
    public async Task What_will_not_pass_is_not_tried_again()
    {
        var time = new RecordingTime();
        await Assert.ThrowsAsync<HubException>(() => RunAsync(time, _ => throw new HubException(HubErrorKind.Gated, "ask first")));
        Assert.Empty(time.Pauses);
    }

    private static async Task RunAsync(RecordingTime time, Func<HubRetry, int> attempt)
    {
        var options = new HubOptions { TimeProvider = time };
        using var transport = new HubTransport(new Uri("http://127.0.0.1"), token: null, handler: null, NullLogger.Instance);
        var retry = new HubRetry(options, transport, NullLogger.Instance, options.MaxTries);
        await HubRetry.RunAsync(retry, () => Task.FromResult(attempt(retry)), TestContext.Current.CancellationToken);
    }
}
