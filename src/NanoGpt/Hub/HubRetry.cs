// When to try again and how long to wait before it. Pauses double from RetryDelay to MaxRetryDelay; a server that names a
// time is taken at its word up to MaxRateLimitWait; progress starts the count anew. Sends nothing itself.

using Microsoft.Extensions.Logging;

namespace NanoGpt.Hub;

/// <summary>The tries of one undertaking.</summary>
internal sealed class HubRetry(HubOptions options, HubTransport transport, ILogger logger, int maxTries)
{
    private int _failures;

    /// <summary>Runs <paramref name="attempt"/> until it succeeds, fails for good, or the tries are used up.</summary>
    public static async Task<T> RunAsync<T>(HubRetry retry, Func<Task<T>> attempt, CancellationToken cancellation)
    {
        while (true)
        {
            try
            {
                return await attempt().ConfigureAwait(false);
            }
            catch (HubException e) when (e.IsTransient)
            {
                await retry.WaitAsync(e, cancellation).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Something new arrived: what failed before doesn't count any more.</summary>
    public void Progressed() => _failures = 0;

    /// <summary>Waits before the next try, or throws <paramref name="failure"/> on if there is none left.</summary>
    public async Task WaitAsync(HubException failure, CancellationToken cancellation)
    {
        if (++_failures >= maxTries || failure.RetryAfter > options.MaxRateLimitWait)
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(failure);

        var doubled = options.RetryDelay * Math.Pow(2, _failures - 1);
        var pause = failure.RetryAfter ?? (doubled < options.MaxRetryDelay ? doubled : options.MaxRetryDelay);
        if (logger.IsEnabled(LogLevel.Warning))
            logger.LogWarning(HubEvents.Retry, "Try {Try} of {MaxTries} failed, next in {Seconds:0.0} s: {Failure}",
                _failures, maxTries, pause.TotalSeconds, transport.Redact(failure.Message));
        await Task.Delay(pause, options.TimeProvider, cancellation).ConfigureAwait(false);
    }
}
