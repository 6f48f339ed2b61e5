// Who may generate now, who waits, who is sent away.

namespace NanoGpt.Generation;

/// <summary>Places for generations, and a bounded queue before them, served in order. Safe for concurrent use.</summary>
/// <param name="limits">Valid limits.</param>
internal sealed class GenerationQueue(GeneratorLimits limits)
{
    private readonly object _gate = new();
    private readonly LinkedList<TaskCompletionSource> _waiting = new();
    private int _running;

    /// <summary>How many wait.</summary>
    public int Waiting
    {
        get
        {
            lock (_gate) return _waiting.Count;
        }
    }

    /// <summary>Waits for a place.</summary>
    /// <returns>The place, to be left by Dispose.</returns>
    /// <exception cref="GeneratorBusyException">The queue is full.</exception>
    public async Task<Place> EnterAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        LinkedListNode<TaskCompletionSource> node;
        lock (_gate)
        {
            if (_running < limits.MaxConcurrent)
            {
                _running++;
                return new Place(this);
            }

            if (_waiting.Count >= limits.MaxQueued)
            {
                throw new GeneratorBusyException(
                    $"{_running} generations are running and {_waiting.Count} are waiting, as many as GeneratorLimits allow "
                    + $"(MaxConcurrent {limits.MaxConcurrent}, MaxQueued {limits.MaxQueued}). Try again later.");
            }

            node = _waiting.AddLast(new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        }

        using (cancellationToken.UnsafeRegister(_ => Cancel(node, cancellationToken), null))
            await node.Value.Task.ConfigureAwait(false);
        return new Place(this);
    }

    private void Cancel(LinkedListNode<TaskCompletionSource> node, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            if (node.List is null) return; // It has just been given a place.
            _waiting.Remove(node);
        }

        node.Value.SetCanceled(cancellationToken);
    }

    private void Leave()
    {
        lock (_gate)
        {
            if (_waiting.First is not { } next)
            {
                _running--;
                return;
            }

            _waiting.RemoveFirst(); // The place passes on.
            next.Value.SetResult();
        }
    }

    /// <summary>A place among the running generations.</summary>
    public sealed class Place(GenerationQueue queue) : IDisposable
    {
        private GenerationQueue? _queue = queue;

        public void Dispose() => Interlocked.Exchange(ref _queue, null)?.Leave();
    }
}
