// Causal self-attention of all heads, and its gradient. Scores exist for some rows of one head at a time, on the way back
// too, where they are computed again: memory grows with the length of a sequence, not with its square.

using NanoGpt.Numerics;

namespace NanoGpt.Backpropagation;

/// <summary>softmax(q k^T scale) v for each head, where a token sees itself and those before it.</summary>
internal sealed unsafe class AttentionPass : IDisposable
{
    private const int BlockRows = 48; // queries at a time: whole tiles of the product, and few scores beyond the diagonal

    private readonly Workbench _bench;
    private readonly int _length, _sequences, _heads, _headSize, _width;
    private readonly FloatArena[] _rooms;
    private readonly Room[] _ofWorker;

    /// <param name="bench">Threads and arithmetic.</param>
    /// <param name="config">The model.</param>
    /// <param name="sequences">Sequences in a batch.</param>
    /// <param name="length">Tokens of a sequence.</param>
    public AttentionPass(Workbench bench, GPTConfig config, int sequences, int length)
    {
        _bench = bench;
        (_sequences, _length, _heads, _headSize, _width) = (sequences, length, config.NHead, config.HeadSize, config.NEmbd);
        var packed = Math.Max(bench.Product.PackedLength(length, _headSize), bench.Product.PackedLength(_headSize, length));
        _rooms = [.. Enumerable.Range(0, bench.Team.Size).Select(_ => new FloatArena(Room.Size(length, packed)))];
        _ofWorker = [.. _rooms.Select(room => new Room(room, length, packed))];
    }

    // Two products with as many scores as a triangle has.
    private long Work => 2L * _sequences * _length * _length * _width;

    /// <summary>y = softmax(q k^T scale) v.</summary>
    /// <param name="qkv">(B T, 3 C): queries, keys and values side by side.</param>
    /// <param name="scale">The factor of the scores.</param>
    /// <param name="y">(B T, C).</param>
    public void Forward(float* qkv, float scale, float* y) => _bench.Team.For(_sequences * _heads, Work, (head, worker) =>
    {
        var (product, room) = (_bench.Product, _ofWorker[worker]);
        var (q, k, v) = Parts(qkv, head);
        var output = Head(y, head, _width);
        PackedFactor keys = product.Pack(k.Transposed, room.KeysAsColumns), values = product.Pack(v, room.Values);
        for (var first = 0; first < _length; first += BlockRows)
        {
            var rows = Math.Min(BlockRows, _length - first);
            var probabilities = Probabilities(worker, first, q.Part(first, rows, 0, _headSize), keys, scale);
            product.MultiplyAlone(worker, probabilities, values.Part(0, first + rows, _headSize), output.Part(first, rows, 0, _headSize));
        }
    });

    /// <summary>The gradient by queries, keys and values.</summary>
    /// <param name="qkv">(B T, 3 C), as on the way forward.</param>
    /// <param name="y">(B T, C), what came out then.</param>
    /// <param name="slope">(B T, C): the gradient by y.</param>
    /// <param name="scale">As then.</param>
    /// <param name="gradient">(B T, 3 C): gets the gradient by qkv.</param>
    public void Backward(float* qkv, float* y, float* slope, float scale, float* gradient) => _bench.Team.For(_sequences * _heads, 3 * Work, (head, worker) =>
    {
        var (product, room) = (_bench.Product, _ofWorker[worker]);
        var (q, k, v) = Parts(qkv, head);
        var (dq, dk, dv) = Parts(gradient, head);
        var (output, dy) = (Head(y, head, _width), Head(slope, head, _width));
        PackedFactor keysAsColumns = product.Pack(k.Transposed, room.KeysAsColumns), valuesAsColumns = product.Pack(v.Transposed, room.Values);
        PackedFactor keys = product.Pack(k, room.Keys), queries = product.Pack(q, room.Queries), slopes = product.Pack(dy, room.OutputSlopes);

        // From the last rows, which see all keys, to the first: the last ones write, the others add.
        for (var first = (_length - 1) / BlockRows * BlockRows; first >= 0; first -= BlockRows)
        {
            var rows = Math.Min(BlockRows, _length - first);
            var seen = first + rows;
            var adds = seen < _length;
            Matrix dyRows = dy.Part(first, rows, 0, _headSize), dkSeen = dk.Part(0, seen, 0, _headSize), dvSeen = dv.Part(0, seen, 0, _headSize);

            var p = Probabilities(worker, first, q.Part(first, rows, 0, _headSize), keysAsColumns, scale);
            product.MultiplyAlone(worker, p.Transposed, slopes.Part(first, rows, _headSize), dvSeen, adds ? dvSeen : default);

            var ds = new Matrix(room.ScoreSlopes, rows, seen);
            product.MultiplyAlone(worker, dyRows, valuesAsColumns.Part(0, _headSize, seen), ds);
            for (var row = 0; row < rows; row++)
            {
                // The sum of p times its slope is y times dy.
                var mean = _bench.Kernels.Dot(output.At(first + row, 0), dyRows.At(row, 0), _headSize);
                _bench.Kernels.SoftmaxGradient(p.At(row, 0), ds.At(row, 0), mean, scale, seen);
            }

            product.MultiplyAlone(worker, ds, keys.Part(0, seen, _headSize), dq.Part(first, rows, 0, _headSize));
            product.MultiplyAlone(worker, ds.Transposed, queries.Part(first, rows, _headSize), dkSeen, adds ? dkSeen : default);
        }
    });

    public void Dispose()
    {
        foreach (var room in _rooms) room.Dispose();
    }

    /// <summary>The probabilities of some queries, (rows, first + rows): zero for keys that come later.</summary>
    private Matrix Probabilities(int worker, int first, Matrix queries, PackedFactor keys, float scale)
    {
        int rows = queries.Rows, keysSeen = first + rows;
        var stride = RowKernels.PaddedLength(keysSeen);
        var scores = new Matrix(_ofWorker[worker].Scores, rows, keysSeen, stride, 1);
        _bench.Product.MultiplyAlone(worker, queries, keys.Part(0, _headSize, keysSeen), scores);
        for (var row = 0; row < rows; row++)
        {
            var seen = first + row + 1;
            var whole = RowKernels.PaddedLength(seen);

            // Whole vectors, so that no number is left to be computed by itself; what is infinitely low adds nothing to the sum.
            new Span<float>(scores.At(row, seen), whole - seen).Fill(float.NegativeInfinity);
            _bench.Kernels.Rows.Softmax(scores.At(row, 0), whole, scale);
            new Span<float>(scores.At(row, seen), keysSeen - seen).Clear();
        }

        return scores;
    }

    /// <summary>One head's queries, keys and values, (T, hs) each.</summary>
    private (Matrix Q, Matrix K, Matrix V) Parts(float* qkv, int head) =>
        (Head(qkv, head, 3 * _width), Head(qkv + _width, head, 3 * _width), Head(qkv + 2 * _width, head, 3 * _width));

    /// <summary>One head of one sequence, (T, hs), in rows of <paramref name="stride"/> values.</summary>
    private Matrix Head(float* values, int head, int stride) =>
        new(values + (nint)(head / _heads) * _length * stride + head % _heads * _headSize, _length, _headSize, stride, 1);

    /// <summary>What a thread works with: scores of some queries, and one head's factors of products, packed.</summary>
    private sealed class Room(FloatArena memory, int length, int packed)
    {
        public float* Scores { get; } = memory.Take((long)BlockRows * RowKernels.PaddedLength(length));

        public float* ScoreSlopes { get; } = memory.Take((long)BlockRows * RowKernels.PaddedLength(length));

        public float* KeysAsColumns { get; } = memory.Take(packed);

        public float* Keys { get; } = memory.Take(packed);

        public float* Queries { get; } = memory.Take(packed);

        public float* Values { get; } = memory.Take(packed);

        public float* OutputSlopes { get; } = memory.Take(packed);

        /// <summary>Floats that it takes.</summary>
        public static long Size(int length, int packed) => 2 * FloatArena.SizeOf((long)BlockRows * RowKernels.PaddedLength(length)) + 5 * FloatArena.SizeOf(packed);
    }
}
