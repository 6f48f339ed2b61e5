// Puts what several threads ask of one model into common passes: eight callers that each decode a token cost hardly more
// than one. No thread of its own: a caller that finds the queue unattended runs the passes until its own request is done;
// callers that await, and so have no thread, borrow one of the pool.

namespace NanoGpt.Inference;

/// <summary>Gathers concurrent requests into passes. Safe for concurrent use.</summary>
/// <param name="runPass">Runs one pass; never called twice at a time.</param>
internal sealed class PassQueue(Action<IReadOnlyList<ForwardRequest>> runPass)
{
    /// <summary>Tokens that go through the network in one pass: bounds memory, and how long a newcomer waits.</summary>
    public const int PassTokens = 512;

    private readonly object _gate = new();
    private readonly List<Entry> _waiting = [];
    private bool _isAttended;

    /// <summary>Runs the requests, each with a cache of its own, and returns when all of their tokens are through.</summary>
    /// <exception cref="OperationCanceledException">Cancelled between two passes; caches hold the tokens of the passes done.</exception>
    public void Run(IReadOnlyList<ForwardRequest> requests, CancellationToken cancellationToken)
    {
        var job = Enqueue(requests, isAwaited: false, cancellationToken);
        while (TryLead(job))
        {
            RunPass();
            lock (_gate) StepDown();
        }

        job.Completion.GetAwaiter().GetResult();
    }

    /// <summary>As <see cref="Run"/>, without holding a thread while others' passes run.</summary>
    public Task RunAsync(IReadOnlyList<ForwardRequest> requests, CancellationToken cancellationToken)
    {
        var job = Enqueue(requests, isAwaited: true, cancellationToken);
        lock (_gate)
        {
            if (!_isAttended) BorrowThread();
        }

        return job.Completion;
    }

    private Job Enqueue(IReadOnlyList<ForwardRequest> requests, bool isAwaited, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var job = new Job(requests.Count(request => request.Ids.Length > 0), isAwaited, cancellationToken);
        lock (_gate) _waiting.AddRange(requests.Where(request => request.Ids.Length > 0).Select(request => new Entry(request, job)));
        return job;
    }

    /// <summary>Waits until the job is done, false, or nobody attends to the queue, true: the caller does from then on.</summary>
    private bool TryLead(Job job)
    {
        lock (_gate)
        {
            while (_isAttended && !job.Completion.IsCompleted) Monitor.Wait(_gate);
            if (job.Completion.IsCompleted) return false;
            return _isAttended = true;
        }
    }

    /// <summary>After a pass: lets a waiting thread take the lead, or borrows one where only awaiting callers are left.</summary>
    private void StepDown()
    {
        _isAttended = false;
        Monitor.PulseAll(_gate);
        if (_waiting.Count > 0 && _waiting.TrueForAll(entry => entry.Job.IsAwaited)) BorrowThread();
    }

    private void BorrowThread()
    {
        _isAttended = true;
        ThreadPool.UnsafeQueueUserWorkItem(static queue => queue.AttendUntilIdle(), this, preferLocal: false);
    }

    private void AttendUntilIdle()
    {
        while (true)
        {
            RunPass();
            lock (_gate)
            {
                if (_waiting.Count > 0) continue;
                _isAttended = false;
                Monitor.PulseAll(_gate);
                return;
            }
        }
    }

    /// <summary>Runs one pass for whoever waits. The caller leads.</summary>
    private void RunPass()
    {
        List<Entry> pass;
        lock (_gate) pass = TakePass();
        Exception? failure = null;
        try
        {
            if (pass.Count > 0) runPass(pass.ConvertAll(entry => entry.Part()));
        }
        catch (Exception e)
        {
            failure = e; // Theirs as much as ours: each caller gets it.
        }

        lock (_gate)
        {
            foreach (var entry in pass) entry.Finish(failure);
            _waiting.RemoveAll(entry => entry.IsDone);
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>The next tokens of those who wait: of each its fair share, so that a long prompt holds up nobody for long.</summary>
    private List<Entry> TakePass()
    {
        foreach (var entry in _waiting) entry.Job.CompleteIfCancelled();
        _waiting.RemoveAll(entry => entry.IsDone);

        var pass = new List<Entry>(_waiting.Count);
        var room = PassTokens;
        foreach (var entry in _waiting.OrderBy(entry => entry.Remaining))
        {
            if (room == 0) break;
            entry.Take(Math.Min(entry.Remaining, Math.Max(1, room / (_waiting.Count - pass.Count))));
            room -= entry.Taken;
            pass.Add(entry);
        }

        return pass;
    }

    /// <summary>What one caller asked for: done when all its requests are, or one has failed, or it was cancelled.</summary>
    private sealed class Job
    {
        private readonly TaskCompletionSource _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly CancellationToken _cancellationToken;
        private int _remaining;

        public Job(int requests, bool isAwaited, CancellationToken cancellationToken)
        {
            (_remaining, IsAwaited, _cancellationToken) = (requests, isAwaited, cancellationToken);
            if (requests == 0) _completion.SetResult();
        }

        public Task Completion => _completion.Task;

        /// <summary>Whether the caller has no thread of its own here that could attend to the queue.</summary>
        public bool IsAwaited { get; }

        public void CompleteIfCancelled()
        {
            if (_cancellationToken.IsCancellationRequested) _completion.TrySetCanceled(_cancellationToken);
        }

        public void Finish(Exception? failure)
        {
            if (failure is not null) _completion.TrySetException(failure);
            else if (--_remaining == 0) _completion.TrySetResult();
        }
    }

    /// <summary>One request and how far it has come.</summary>
    private sealed class Entry(ForwardRequest request, Job job)
    {
        private int _done;

        public Job Job => job;

        public int Taken { get; private set; }

        public int Remaining => request.Ids.Length - _done;

        public bool IsDone => Remaining == 0 || job.Completion.IsCompleted;

        public void Take(int tokens) => Taken = tokens;

        public ForwardRequest Part() => request with
        {
            Ids = request.Ids.Slice(_done, Taken),
            FirstOutput = Math.Clamp(request.FirstOutput - _done, 0, Taken),
        };

        public void Finish(Exception? failure)
        {
            _done += Taken;
            if (failure is not null || Remaining == 0) job.Finish(failure);
        }
    }
}
