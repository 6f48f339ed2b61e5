// A heap of pairs waiting to be merged, the earliest first. Four children a node: half the levels, and a node's children lie
// together.

namespace NanoGpt.Tokenization;

/// <summary>A priority queue of (rank, position), smallest first: by rank, and of equal ranks the leftmost.</summary>
/// <param name="capacity">How many will be in it at first.</param>
internal struct MergeQueue(int capacity)
{
    private ulong[] _heap = new ulong[Math.Max(4, capacity)];

    private int _count;

    /// <summary>Adds a pair.</summary>
    public void Add(int rank, int position)
    {
        if (_count == _heap.Length) Array.Resize(ref _heap, 2 * _count);
        var item = ((ulong)(uint)rank << 32) | (uint)position;
        var index = _count++;
        while (index > 0 && item < _heap[(index - 1) / 4])
        {
            _heap[index] = _heap[(index - 1) / 4];
            index = (index - 1) / 4;
        }

        _heap[index] = item;
    }

    /// <summary>Takes the smallest.</summary>
    public bool TryTake(out int rank, out int position)
    {
        (rank, position) = (0, 0);
        if (_count == 0) return false;
        (rank, position) = ((int)(_heap[0] >> 32), (int)(uint)_heap[0]);
        var item = _heap[--_count];
        var index = 0;
        for (var child = 1; child < _count; child = 4 * index + 1)
        {
            var smallest = child;
            for (var other = child + 1; other < Math.Min(child + 4, _count); other++)
            {
                if (_heap[other] < _heap[smallest]) smallest = other;
            }

            if (item <= _heap[smallest]) break;
            _heap[index] = _heap[smallest];
            index = smallest;
        }

        _heap[index] = item;
        return true;
    }
}
