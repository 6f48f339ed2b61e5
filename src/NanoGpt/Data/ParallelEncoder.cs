// Texts in, ids out in the same order, encoded on all cores. Bounded: a few pieces are under way at any time, so memory
// does not depend on how much text there is.

using System.Buffers;
using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using NanoGpt.Tokenization;

namespace NanoGpt.Data;

/// <summary>Encodes pieces of text on the thread pool and hands the ids on in order. Called from one thread.</summary>
internal sealed class ParallelEncoder(Tokenizer tokenizer, CancellationToken cancellationToken)
{
    private readonly Queue<(Task<List<int>> Ids, IIdSink Sink)> _underWay = [];
    private readonly ConcurrentBag<List<int>> _lists = [];
    private readonly int _most = Environment.ProcessorCount + 2;

    /// <summary>Encodes the first <paramref name="length"/> bytes of an array of the shared pool, and returns the array there.</summary>
    public void Add(byte[] rented, int length, IIdSink sink)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (_underWay.Count == _most) TakeOne();
        _underWay.Enqueue((Task.Run(() => Encode(rented, length), CancellationToken.None), sink));
    }

    /// <summary>Waits until all ids have been handed on.</summary>
    public void Finish()
    {
        while (_underWay.Count > 0)
        {
            cancellationToken.ThrowIfCancellationRequested();
            TakeOne();
        }
    }

    private List<int> Encode(byte[] rented, int length)
    {
        var ids = _lists.TryTake(out var used) ? used : new List<int>(length / 3);
        tokenizer.Encode(rented.AsSpan(0, length), allowSpecial: false, ids);
        ArrayPool<byte>.Shared.Return(rented);
        return ids;
    }

    private void TakeOne()
    {
        var (task, sink) = _underWay.Dequeue();
        var ids = task.GetAwaiter().GetResult();
        sink.Write(CollectionsMarshal.AsSpan(ids));
        ids.Clear();
        _lists.Add(ids);
    }
}
