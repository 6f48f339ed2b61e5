// A few threads that wait, spinning for a short while and then asleep, for the next loop to share. The thread pool's
// Parallel.For takes longer to start than one layer of a small model takes to compute.

using System.Runtime.ExceptionServices;

namespace NanoGpt.Numerics;

/// <summary>Shares the rounds of a loop among its own threads and the caller. One loop at a time; the caller sees to that.</summary>
/// <remarks>
/// Rounds are handed out one by one: a thread that the system has put aside holds up nobody but the round it is in.
/// </remarks>
internal sealed class WorkerTeam : IDisposable
{
    /// <summary>How long an idle thread spins before it sleeps. Longer than the gaps within a forward pass, short for an idle app.</summary>
    private static readonly TimeSpan SpinTime = TimeSpan.FromMicroseconds(100);

    /// <summary>Operations that take longer than waking a thread, which is some 5 microseconds.</summary>
    public const long WorthSharing = 1 << 17;

    // A ticket is the number of the loop (upper 40 bits) and of its next round (lower 24); Closed stands for no round.
    private const int RoundBits = 24;
    private const long RoundMask = (1L << RoundBits) - 1;
    private const long Closed = RoundMask;

    private readonly Thread[] _threads;
    private readonly SemaphoreSlim _wake = new(0);
    private Action<int, int>? _body;
    private ExceptionDispatchInfo? _failure;
    private long _ticket = Closed;
    private int _rounds;
    private int _finished;
    private int _asleep;
    private volatile bool _isDisposed;

    /// <summary>Starts the threads.</summary>
    /// <param name="size">Threads in all, the caller among them. 0: as many as the machine has processors.</param>
    public WorkerTeam(int size = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(size);
        Size = size == 0 ? Environment.ProcessorCount : size;
        _threads = new Thread[Size - 1];
        for (var i = 0; i < _threads.Length; i++)
        {
            var worker = i + 1;
            _threads[i] = new Thread(() => Work(worker)) { IsBackground = true, Name = $"NanoGpt worker {worker}" };
            _threads[i].Start();
        }
    }

    /// <summary>Threads that share a loop, the caller among them.</summary>
    public int Size { get; }

    /// <summary>Runs body(round, worker) for each round below <paramref name="count"/>, and returns when all are done.</summary>
    /// <param name="count">Number of rounds.</param>
    /// <param name="work">About how many arithmetic operations all rounds take together. Few are not worth sharing.</param>
    /// <param name="loopBody">Gets the round and the number of the thread that runs it, below <see cref="Size"/>; the caller is 0.</param>
    public void For(int count, long work, Action<int, int> loopBody)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(count, Closed);
        if (count <= 1 || Size == 1 || work < WorthSharing)
        {
            for (var round = 0; round < count; round++) loopBody(round, 0);
            return;
        }

        // No thread holds a ticket of the last loop now: its rounds are all done, and a stale ticket fails to be drawn.
        var loop = (Interlocked.Read(ref _ticket) >> RoundBits) + 1;
        _body = loopBody;
        _rounds = count;
        _finished = 0;
        _failure = null;
        Interlocked.Exchange(ref _ticket, loop << RoundBits);
        WakeSleepers();

        DrawRounds(loop, 0);
        WaitUntilFinished(count);
        Interlocked.Exchange(ref _ticket, (loop << RoundBits) | Closed);
        _failure?.Throw();
    }

    /// <summary>Ends the threads and waits for them.</summary>
    public void Dispose()
    {
        if (_isDisposed) return;
        _isDisposed = true;
        if (_threads.Length > 0) _wake.Release(_threads.Length);
        foreach (var thread in _threads) thread.Join();
        _wake.Dispose();
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
            var current = Interlocked.Read(ref _ticket);
            if (current >> RoundBits != loop) return;
            var round = current & RoundMask;
            if (round >= _rounds) return;

            // What was read before this succeeds belongs to the loop that the ticket names.
            if (Interlocked.CompareExchange(ref _ticket, current + 1, current) != current) continue;
            try
            {
                _body!((int)round, worker);
            }
            catch (Exception e)
            {
                Interlocked.CompareExchange(ref _failure, ExceptionDispatchInfo.Capture(e), null);
            }

            Interlocked.Increment(ref _finished);
        }
    }

    private bool WaitForLoop(ref long lastLoop)
    {
        var spinStart = System.Diagnostics.Stopwatch.GetTimestamp();
        while (!_isDisposed)
        {
            if (HasNewLoop(ref lastLoop)) return true;
            if (System.Diagnostics.Stopwatch.GetElapsedTime(spinStart) < SpinTime)
            {
                Thread.SpinWait(10);
                continue;
            }

            Interlocked.Increment(ref _asleep);
            if (HasNewLoop(ref lastLoop)) return true; // Counted as asleep: some later wake-up is one too many, no harm.
            _wake.Wait();
            spinStart = System.Diagnostics.Stopwatch.GetTimestamp();
        }

        return false;
    }

    private bool HasNewLoop(ref long lastLoop)
    {
        var current = Interlocked.Read(ref _ticket);
        if (current >> RoundBits == lastLoop || (current & RoundMask) == Closed) return false;
        lastLoop = current >> RoundBits;
        return true;
    }

    private void WakeSleepers()
    {
        if (Volatile.Read(ref _asleep) == 0) return;
        var sleepers = Interlocked.Exchange(ref _asleep, 0);
        if (sleepers > 0) _wake.Release(sleepers);
    }

    private void WaitUntilFinished(int count)
    {
        var spinner = default(SpinWait);
        while (Volatile.Read(ref _finished) < count)
        {
            if (spinner.Count < 100) spinner.SpinOnce(sleep1Threshold: -1);
            else Thread.Yield();
        }
    }
}
