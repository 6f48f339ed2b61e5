// A few threads that wait, spinning for a short while and then asleep, for the next loop to share. The thread pool's
// Parallel.For takes longer to start than one layer of a small model takes to compute.

using System.Runtime.ExceptionServices;

namespace NanoGpt.Inference;

/// <summary>Shares the rounds of a loop among its own threads and the caller. One loop at a time; the caller sees to that.</summary>
/// <remarks>
/// Rounds are handed out one by one: a thread that the system has put aside holds up nobody but the round it is in.
/// </remarks>
internal sealed class WorkerTeam : IDisposable
{
    /// <summary>How long an idle thread spins before it sleeps. Longer than the gaps within a forward pass, short for an idle app.</summary>
    private static readonly TimeSpan SpinTime = TimeSpan.FromMicroseconds(100);

    // A ticket is the number of the loop (upper 40 bits) and of its next round (lower 24); Closed stands for no round.
    private const int RoundBits = 24;
    private const long RoundMask = (1L << RoundBits) - 1;
    private const long Closed = RoundMask;

    private readonly Thread[] threads;
    private readonly SemaphoreSlim wake = new(0);
    private Action<int, int>? body;
    private ExceptionDispatchInfo? failure;
    private long ticket = Closed;
    private int rounds;
    private int finished;
    private int asleep;
    private volatile bool isDisposed;

    /// <summary>Starts the threads.</summary>
    /// <param name="size">Threads in all, the caller among them. 0: as many as the machine has processors.</param>
    public WorkerTeam(int size = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(size);
        Size = size == 0 ? Environment.ProcessorCount : size;
        threads = new Thread[Size - 1];
        for (var i = 0; i < threads.Length; i++)
        {
            var worker = i + 1;
            threads[i] = new Thread(() => Work(worker)) { IsBackground = true, Name = $"NanoGpt worker {worker}" };
            threads[i].Start();
        }
    }

    /// <summary>Threads that share a loop, the caller among them.</summary>
    public int Size { get; }

    /// <summary>Runs body(round, worker) for each round below <paramref name="count"/>, and returns when all are done.</summary>
    /// <param name="count">Number of rounds.</param>
    /// <param name="loopBody">Gets the round and the number of the thread that runs it, below <see cref="Size"/>; the caller is 0.</param>
    public void For(int count, Action<int, int> loopBody)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(count, Closed);
        if (count <= 1 || Size == 1)
        {
            for (var round = 0; round < count; round++) loopBody(round, 0);
            return;
        }

        // No thread holds a ticket of the last loop now: its rounds are all done, and a stale ticket fails to be drawn.
        var loop = (Interlocked.Read(ref ticket) >> RoundBits) + 1;
        body = loopBody;
        rounds = count;
        finished = 0;
        failure = null;
        Interlocked.Exchange(ref ticket, loop << RoundBits);
        WakeSleepers();

        DrawRounds(loop, 0);
        WaitUntilFinished(count);
        Interlocked.Exchange(ref ticket, (loop << RoundBits) | Closed);
        failure?.Throw();
    }

    /// <summary>Ends the threads and waits for them.</summary>
    public void Dispose()
    {
        if (isDisposed) return;
        isDisposed = true;
        if (threads.Length > 0) wake.Release(threads.Length);
        foreach (var thread in threads) thread.Join();
        wake.Dispose();
    }

    private void Work(int worker)
    {
        var lastLoop = 0L;
        while (WaitForLoop(ref lastLoop)) DrawRounds(lastLoop, worker);
    }

    /// <summary>Runs rounds of that loop until none is left.</summary>
    private void DrawRounds(long loop, int worker)
    {
        while (true)
        {
            var current = Interlocked.Read(ref ticket);
            if (current >> RoundBits != loop) return;
            var round = current & RoundMask;
            if (round >= rounds) return;

            // What was read before this succeeds belongs to the loop that the ticket names.
            if (Interlocked.CompareExchange(ref ticket, current + 1, current) != current) continue;
            try
            {
                body!((int)round, worker);
            }
            catch (Exception e)
            {
                Interlocked.CompareExchange(ref failure, ExceptionDispatchInfo.Capture(e), null);
            }

            Interlocked.Increment(ref finished);
        }
    }

    private bool WaitForLoop(ref long lastLoop)
    {
        var spinStart = System.Diagnostics.Stopwatch.GetTimestamp();
        while (!isDisposed)
        {
            if (HasNewLoop(ref lastLoop)) return true;
            if (System.Diagnostics.Stopwatch.GetElapsedTime(spinStart) < SpinTime)
            {
                Thread.SpinWait(10);
                continue;
            }

            Interlocked.Increment(ref asleep);
            if (HasNewLoop(ref lastLoop)) return true; // Counted as asleep: some later wake-up is one too many, no harm.
            wake.Wait();
            spinStart = System.Diagnostics.Stopwatch.GetTimestamp();
        }

        return false;
    }

    private bool HasNewLoop(ref long lastLoop)
    {
        var current = Interlocked.Read(ref ticket);
        if (current >> RoundBits == lastLoop || (current & RoundMask) == Closed) return false;
        lastLoop = current >> RoundBits;
        return true;
    }

    private void WakeSleepers()
    {
        if (Volatile.Read(ref asleep) == 0) return;
        var sleepers = Interlocked.Exchange(ref asleep, 0);
        if (sleepers > 0) wake.Release(sleepers);
    }

    private void WaitUntilFinished(int count)
    {
        var spinner = default(SpinWait);
        while (Volatile.Read(ref finished) < count)
        {
            if (spinner.Count < 100) spinner.SpinOnce(sleep1Threshold: -1);
            else Thread.Yield();
        }
    }
}
