// softmax(q k^T) v for all new rows of a batch, shared among the threads by sequence, head and block of rows.

using NanoGpt.Numerics;

namespace NanoGpt.Inference;

/// <summary>Causal attention over key-value caches. Holds the loop's arguments, so serves one pass at a time.</summary>
internal sealed unsafe class AttentionProduct : IDisposable
{
    /// <summary>Queries of one head that are attended together; more would waste work above the diagonal.</summary>
    private const int BlockRows = 24;

    // IsAlone: all new rows of its sequence.
    private readonly record struct Block(KeyValueCache Cache, int FirstRow, int Rows, int FirstPosition, bool IsAlone);

    private readonly GPTConfig _config;
    private readonly PanelKernels _kernels;
    private readonly WorkerTeam _team;
    private readonly Action<int, int> _attend;
    private readonly Action<int, int> _store;
    private readonly Rows[] _scores;
    private readonly Rows[] _outputs;
    private readonly List<Block> _blocks = [];
    private Rows _qkv = null!;
    private Rows _output = null!;
    private int _layer;
    private float _scale;
    private long _work;

    public AttentionProduct(GPTConfig config, PanelKernels kernels, WorkerTeam team)
    {
        (_config, _kernels, _team) = (config, kernels, team);
        (_attend, _store) = (Attend, StoreHead);
        _scores = Enumerable.Range(0, _team.Size).Select(_ => new Rows(_config.BlockSize)).ToArray();
        _outputs = Enumerable.Range(0, _team.Size).Select(_ => new Rows(_config.HeadSize)).ToArray();
        foreach (var rows in _scores.Concat(_outputs)) rows.Reserve(BlockRows);
    }

    /// <summary>Cuts the batch into blocks of rows; for all layers of a pass.</summary>
    public void Prepare(IReadOnlyList<ForwardRequest> requests)
    {
        _blocks.Clear();
        _work = 0;
        var row = 0;
        foreach (var request in requests)
        {
            for (var i = 0; i < request.Ids.Length; i += BlockRows)
            {
                var rows = Math.Min(BlockRows, request.Ids.Length - i);
                _blocks.Add(new Block(request.Cache, row + i, rows, request.Cache.Length + i, rows == request.Ids.Length));
            }

            row += request.Ids.Length;
            _work += 2L * request.Ids.Length * (request.Cache.Length + request.Ids.Length) * _config.NEmbd;
        }
    }

    /// <summary>(R, 3 C) -> (R, C). Stores the keys and values of all rows in the caches.</summary>
    public void Run(int layerIndex, Rows from, Rows to)
    {
        (_layer, _qkv, _output) = (layerIndex, from, to);
        _scale = _config.ScaleAttentionWeights ? 1f / MathF.Sqrt(_config.HeadSize) : 1f;
        if (_config.ScaleAttentionByInverseLayerIndex) _scale /= layerIndex + 1;

        // A block that is alone waits for no other: the thread that attends stores its keys and values first.
        if (_blocks.Exists(block => !block.IsAlone)) _team.For(_config.NHead, _work, _store);
        _team.For(_blocks.Count * _config.NHead, _work, _attend);
    }

    public void Dispose()
    {
        foreach (var rows in _scores.Concat(_outputs)) rows.Dispose();
    }

    private void StoreHead(int head, int worker)
    {
        foreach (var block in _blocks)
        {
            if (!block.IsAlone) Store(block, head);
        }
    }

    private void Store(Block block, int head)
    {
        var key = _qkv[block.FirstRow] + _config.NEmbd + head * _config.HeadSize;
        block.Cache.Store(_layer, head, block.FirstPosition, block.Rows, key, key + _config.NEmbd, _qkv.Stride);
    }

    private void Attend(int round, int worker)
    {
        var block = _blocks[round / _config.NHead];
        var head = round % _config.NHead;
        var headSize = _config.HeadSize;
        if (block.IsAlone) Store(block, head);
        var positions = block.FirstPosition + block.Rows;
        var panelWidth = _kernels.PanelWidth;
        var (score, result) = (_scores[worker], _outputs[worker]);

        // scores = q k^T, for whole panels of positions; what lies in the future is dropped below.
        var keyPanels = (positions + panelWidth - 1) / panelWidth;
        for (var row = 0; row < block.Rows; row++) new Span<float>(score[row], keyPanels * panelWidth).Clear();
        _kernels.MultiplyAdd(
            _qkv[block.FirstRow] + head * headSize, _qkv.Stride, block.Rows, block.Cache.Keys(_layer, head), keyPanels,
            (headSize + 1) / 2, score[0], score.Stride);                     // (rows, positions)

        var pairs = (positions + 1) / 2;
        for (var row = 0; row < block.Rows; row++)
        {
            var visible = block.FirstPosition + row + 1;
            _kernels.Rows.Softmax(score[row], visible, _scale);
            new Span<float>(score[row] + visible, 2 * pairs - visible).Clear();
        }

        var valuePanels = (headSize + panelWidth - 1) / panelWidth;
        for (var row = 0; row < block.Rows; row++) new Span<float>(result[row], valuePanels * panelWidth).Clear();
        _kernels.MultiplyAdd(
            score[0], score.Stride, block.Rows, block.Cache.Values(_layer, head), valuePanels, pairs, result[0], result.Stride);
        for (var row = 0; row < block.Rows; row++)                           // (rows, hs) into (R, C)
        {
            new ReadOnlySpan<float>(result[row], headSize)
                .CopyTo(new Span<float>(_output[block.FirstRow + row] + head * headSize, headSize));
        }
    }
}
