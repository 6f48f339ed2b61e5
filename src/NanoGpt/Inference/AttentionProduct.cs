// softmax(q k^T) v for all new rows of a batch, shared among the threads by sequence, head and block of rows.

namespace NanoGpt.Inference;

/// <summary>Causal attention over key-value caches. Holds the loop's arguments, so serves one pass at a time.</summary>
internal sealed unsafe class AttentionProduct : IDisposable
{
    /// <summary>Queries of one head that are attended together; more would waste work above the diagonal.</summary>
    private const int BlockRows = 24;

    private readonly record struct Block(KeyValueCache Cache, int FirstRow, int Rows, int FirstPosition);

    private readonly GPTConfig config;
    private readonly Kernels kernels;
    private readonly WorkerTeam team;
    private readonly Action<int, int> attend;
    private readonly Rows[] scores;
    private readonly Rows[] outputs;
    private readonly List<Block> blocks = [];
    private Rows qkv = null!;
    private Rows output = null!;
    private int layer;
    private float scale;

    public AttentionProduct(GPTConfig config, Kernels kernels, WorkerTeam team)
    {
        (this.config, this.kernels, this.team) = (config, kernels, team);
        attend = Attend;
        scores = Enumerable.Range(0, team.Size).Select(_ => new Rows(config.BlockSize)).ToArray();
        outputs = Enumerable.Range(0, team.Size).Select(_ => new Rows(config.HeadSize)).ToArray();
        foreach (var rows in scores.Concat(outputs)) rows.Reserve(BlockRows);
    }

    /// <summary>Cuts the batch into blocks of rows; for all layers of a pass.</summary>
    public void Prepare(IReadOnlyList<ForwardRequest> requests)
    {
        blocks.Clear();
        var row = 0;
        foreach (var request in requests)
        {
            for (var i = 0; i < request.Ids.Length; i += BlockRows)
            {
                var rows = Math.Min(BlockRows, request.Ids.Length - i);
                blocks.Add(new Block(request.Cache, row + i, rows, request.Cache.Length + i));
            }

            row += request.Ids.Length;
        }
    }

    /// <summary>(R, 3 C) -> (R, C). The keys and values of all rows must be in the caches.</summary>
    public void Run(int layerIndex, Rows from, Rows to)
    {
        (layer, qkv, output) = (layerIndex, from, to);
        scale = config.ScaleAttentionWeights ? 1f / MathF.Sqrt(config.HeadSize) : 1f;
        if (config.ScaleAttentionByInverseLayerIndex) scale /= layerIndex + 1;
        team.For(blocks.Count * config.NHead, attend);
    }

    public void Dispose()
    {
        foreach (var rows in scores.Concat(outputs)) rows.Dispose();
    }

    private void Attend(int round, int worker)
    {
        var block = blocks[round / config.NHead];
        var head = round % config.NHead;
        var headSize = config.HeadSize;
        var positions = block.FirstPosition + block.Rows;
        var panelWidth = kernels.PanelWidth;
        var (score, result) = (scores[worker], outputs[worker]);

        // scores = q k^T, for whole panels of positions; what lies in the future is dropped below.
        var keyPanels = (positions + panelWidth - 1) / panelWidth;
        for (var row = 0; row < block.Rows; row++) new Span<float>(score[row], keyPanels * panelWidth).Clear();
        kernels.MultiplyAdd(
            qkv[block.FirstRow] + head * headSize, qkv.Stride, block.Rows, block.Cache.Keys(layer, head), keyPanels,
            (headSize + 1) / 2, score[0], score.Stride);                     // (rows, positions)

        var pairs = (positions + 1) / 2;
        for (var row = 0; row < block.Rows; row++)
        {
            var visible = block.FirstPosition + row + 1;
            kernels.Softmax(score[row], visible, scale);
            new Span<float>(score[row] + visible, 2 * pairs - visible).Clear();
        }

        var valuePanels = (headSize + panelWidth - 1) / panelWidth;
        for (var row = 0; row < block.Rows; row++) new Span<float>(result[row], valuePanels * panelWidth).Clear();
        kernels.MultiplyAdd(
            score[0], score.Stride, block.Rows, block.Cache.Values(layer, head), valuePanels, pairs, result[0], result.Stride);
        for (var row = 0; row < block.Rows; row++)                           // (rows, hs) into (R, C)
        {
            new ReadOnlySpan<float>(result[row], headSize)
                .CopyTo(new Span<float>(output[block.FirstRow + row] + head * headSize, headSize));
        }
    }
}
