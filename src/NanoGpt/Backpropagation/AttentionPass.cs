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
    private readonly NativeBuffer[] _scores, _slopes;

    /// <param name="bench">Threads and arithmetic.</param>
    /// <param name="config">The model.</param>
    /// <param name="sequences">Sequences in a batch.</param>
    /// <param name="length">Tokens of a sequence.</param>
    public AttentionPass(Workbench bench, GPTConfig config, int sequences, int length)
    {
        _bench = bench;
        (_sequences, _length, _heads, _headSize, _width) = (sequences, length, config.NHead, config.HeadSize, config.NEmbd);
        _scores = Rooms();
        _slopes = Rooms();

        NativeBuffer[] Rooms() => [.. Enumerable.Range(0, bench.Team.Size).Select(_ => NativeBuffer.OfFloats((long)BlockRows * length))];
    }

    // Two products with as many scores as a triangle has.
    private long Work => 2L * _sequences * _length * _length * _width;

    /// <summary>y = softmax(q k^T scale) v.</summary>
    /// <param name="qkv">(B T, 3 C): queries, keys and values side by side.</param>
    /// <param name="scale">The factor of the scores.</param>
    /// <param name="y">(B T, C).</param>
    public void Forward(float* qkv, float scale, float* y) => _bench.Team.For(_sequences * _heads, Work, (head, worker) =>
    {
        var (q, k, v) = Parts(qkv, head);
        var output = Head(y, head, _width);
        for (var first = 0; first < _length; first += BlockRows)
        {
            var rows = Math.Min(BlockRows, _length - first);
            var probabilities = Probabilities(worker, first, rows, q, k, scale);
            _bench.Product.MultiplyAlone(worker, probabilities, v.Part(0, first + rows, 0, _headSize), output.Part(first, rows, 0, _headSize));
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
        var (q, k, v) = Parts(qkv, head);
        var (dq, dk, dv) = Parts(gradient, head);
        var (output, dy) = (Head(y, head, _width), Head(slope, head, _width));

        // From the last rows, which see all keys, to the first: the last ones write, the others add.
        for (var first = (_length - 1) / BlockRows * BlockRows; first >= 0; first -= BlockRows)
        {
            var rows = Math.Min(BlockRows, _length - first);
            var (keys, adds) = (first + rows, first + rows < _length);
            Matrix queries = q.Part(first, rows, 0, _headSize), dyRows = dy.Part(first, rows, 0, _headSize);

            var p = Probabilities(worker, first, rows, q, k, scale);
            _bench.Product.MultiplyAlone(worker, p.Transposed, dyRows, dv.Part(0, keys, 0, _headSize), adds);

            var ds = new Matrix(_slopes[worker].Floats, rows, keys);
            _bench.Product.MultiplyAlone(worker, dyRows, v.Part(0, keys, 0, _headSize).Transposed, ds);
            for (var row = 0; row < rows; row++)
            {
                // The sum of p times its slope is y times dy.
                var mean = _bench.Kernels.Dot(output.At(first + row, 0), dyRows.At(row, 0), _headSize);
                _bench.Kernels.SoftmaxGradient(p.At(row, 0), ds.At(row, 0), mean, scale, keys);
            }

            _bench.Product.MultiplyAlone(worker, ds, k.Part(0, keys, 0, _headSize), dq.Part(first, rows, 0, _headSize));
            _bench.Product.MultiplyAlone(worker, ds.Transposed, queries, dk.Part(0, keys, 0, _headSize), adds);
        }
    });

    public void Dispose()
    {
        foreach (var room in _scores.Concat(_slopes)) room.Dispose();
    }

    /// <summary>The probabilities of some queries, (rows, first + rows): zero for keys that come later.</summary>
    private Matrix Probabilities(int worker, int first, int rows, Matrix q, Matrix k, float scale)
    {
        var scores = new Matrix(_scores[worker].Floats, rows, first + rows);
        _bench.Product.MultiplyAlone(worker, q.Part(first, rows, 0, _headSize), k.Part(0, first + rows, 0, _headSize).Transposed, scores);
        for (var row = 0; row < rows; row++)
        {
            var seen = first + row + 1;
            _bench.Kernels.Rows.Softmax(scores.At(row, 0), seen, scale);
            new Span<float>(scores.At(row, seen), scores.Columns - seen).Clear();
        }

        return scores;
    }

    /// <summary>One head's queries, keys and values, (T, hs) each.</summary>
    private (Matrix Q, Matrix K, Matrix V) Parts(float* qkv, int head) =>
        (Head(qkv, head, 3 * _width), Head(qkv + _width, head, 3 * _width), Head(qkv + 2 * _width, head, 3 * _width));

    /// <summary>One head of one sequence, (T, hs), in rows of <paramref name="stride"/> values.</summary>
    private Matrix Head(float* values, int head, int stride) =>
        new(values + (nint)(head / _heads) * _length * stride + head % _heads * _headSize, _length, _headSize, stride, 1);
}
