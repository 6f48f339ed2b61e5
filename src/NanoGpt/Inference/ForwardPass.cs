// The way of some tokens through the network: the managed engine's twin of GPTModel.cs. One instance holds the memory for
// the rows in between and serves one pass at a time. The rows of all sequences lie one under the other: (R, C).

namespace NanoGpt.Inference;

/// <summary>Gets the logits of one position. The span is valid during the call only.</summary>
internal delegate void LogitsConsumer(int position, ReadOnlySpan<float> logits);

/// <summary>Gets the residual stream at one position: stage 0 after the embeddings, n after block n, NLayer + 1 after ln_f.</summary>
internal delegate void HiddenStateConsumer(int stage, int position, ReadOnlySpan<float> state);

/// <summary>New tokens of one sequence.</summary>
/// <param name="Cache">Keys and values of what came before; gets those of the new tokens.</param>
/// <param name="Ids">The new tokens, at least one.</param>
/// <param name="FirstOutput">The first of them whose logits are wanted; Ids.Length for none.</param>
/// <param name="OnLogits">Gets the logits of each position from there on, in order; null for none.</param>
/// <param name="OnHidden">Gets the hidden states of each position; null for none.</param>
internal sealed record ForwardRequest(
    KeyValueCache Cache, ReadOnlyMemory<int> Ids, int FirstOutput, LogitsConsumer? OnLogits, HiddenStateConsumer? OnHidden = null);

/// <summary>Runs batches of tokens through the network. Not safe for concurrent use: <see cref="InferenceModel"/> sees to it.</summary>
internal sealed unsafe class ForwardPass : IDisposable
{
    /// <summary>Rows whose logits are computed together: bounds their memory.</summary>
    private const int OutputRows = 48;

    private readonly GPTConfig config;
    private readonly EngineWeights weights;
    private readonly Kernels kernels;
    private readonly WorkerTeam team;
    private readonly LinearProduct linear;
    private readonly AttentionProduct attention;
    private readonly Action<int, int> embedRow;
    private readonly Action<int, int> normalizeRow;
    private readonly Action<int, int> storeKeysAndValues;

    private readonly Rows residual;
    private readonly Rows normal;
    private readonly Rows qkv;
    private readonly Rows inner;
    private readonly Rows branch;
    private readonly Rows outputs;
    private readonly Rows logits;

    // What each row is: the request it belongs to, its id and its position.
    private readonly List<(ForwardRequest Request, int Id, int Position)> rows = [];
    private Norm norm = null!;
    private int layer;

    public ForwardPass(GPTConfig config, EngineWeights weights, Kernels kernels, WorkerTeam team)
    {
        (this.config, this.weights, this.kernels, this.team) = (config, weights, kernels, team);
        linear = new LinearProduct(kernels, team);
        attention = new AttentionProduct(config, kernels, team);
        (embedRow, normalizeRow, storeKeysAndValues) = (EmbedRow, NormalizeRow, StoreKeysAndValues);
        residual = new Rows(config.NEmbd);
        normal = new Rows(config.NEmbd);
        qkv = new Rows(3 * config.NEmbd);
        inner = new Rows(config.InnerSize);
        branch = new Rows(config.NEmbd);
        outputs = new Rows(config.NEmbd);
        logits = new Rows(config.VocabSize);
    }

    /// <summary>Runs the batch. Each cache advances by its tokens; consumers are called on this thread.</summary>
    public void Run(IReadOnlyList<ForwardRequest> batch)
    {
        Prepare(batch);
        var count = rows.Count;

        team.For(count, embedRow);                                           // ids -> (R, C)
        for (layer = 0; layer < config.NLayer; layer++)
        {
            var block = weights.Blocks[layer];
            Normalize(block.Norm1);
            ShowHidden(layer, residual);
            linear.Run(block.Attention, normal, count, qkv);                 // (R, C) -> (R, 3 C)
            team.For(config.NHead, storeKeysAndValues);
            attention.Run(layer, qkv, normal);                               // (R, 3 C) -> (R, C)
            linear.Run(block.AttentionOutput, normal, count, branch);
            Normalize(block.Norm2);
            linear.Run(block.Mlp, normal, count, inner, config.Activation);  // (R, C) -> (R, inner)
            linear.Run(block.MlpOutput, inner, count, branch);               // (R, inner) -> (R, C)
        }

        Normalize(weights.FinalNorm);
        ShowHidden(config.NLayer, residual);
        ShowHidden(config.NLayer + 1, normal);
        foreach (var request in batch) request.Cache.Advance(request.Cache.Length + request.Ids.Length);
        Output();
    }

    public void Dispose()
    {
        foreach (var part in new[] { residual, normal, qkv, inner, branch, outputs, logits }) part.Dispose();
        attention.Dispose();
    }

    private void Prepare(IReadOnlyList<ForwardRequest> batch)
    {
        rows.Clear();
        foreach (var request in batch)
        {
            var start = request.Cache.Length;
            request.Cache.Reserve(start + request.Ids.Length);
            for (var i = 0; i < request.Ids.Length; i++) rows.Add((request, request.Ids.Span[i], start + i));
        }

        foreach (var part in new[] { residual, normal, qkv, inner, branch }) part.Reserve(rows.Count);
        attention.Prepare(batch);
    }

    private void EmbedRow(int row, int worker)
    {
        var (_, id, position) = rows[row];
        weights.TokenEmbedding.CopyRow(id, residual[row]);
        var positionRow = weights.PositionEmbedding.Floats + (long)position * config.NEmbd;
        for (var c = 0; c < config.NEmbd; c++) residual[row][c] += positionRow[c];

        // Nothing to add to the embeddings.
        new Span<float>(branch[row], config.NEmbd).Clear();
    }

    /// <summary>Adds the last branch to the residual stream and normalizes it.</summary>
    private void Normalize(Norm by)
    {
        norm = by;
        team.For(rows.Count, normalizeRow);
    }

    private void NormalizeRow(int row, int worker)
    {
        kernels.Add(residual[row], branch[row], config.NEmbd);
        kernels.LayerNorm(
            residual[row], norm.Weight.Floats, norm.Bias is null ? null : norm.Bias.Floats, (float)config.LayerNormEpsilon,
            config.NEmbd, normal[row]);
    }

    private void StoreKeysAndValues(int head, int worker)
    {
        var offset = head * config.HeadSize;
        for (var row = 0; row < rows.Count; row++)
        {
            var (request, _, position) = rows[row];
            var query = qkv[row] + offset;
            request.Cache.Store(layer, head, position, query + config.NEmbd, query + 2 * config.NEmbd);
        }
    }

    private void ShowHidden(int stage, Rows states)
    {
        for (var row = 0; row < rows.Count; row++)
        {
            var (request, _, position) = rows[row];
            request.OnHidden?.Invoke(stage, position, new ReadOnlySpan<float>(states[row], config.NEmbd));
        }
    }

    /// <summary>Computes the logits that are wanted, some rows at a time.</summary>
    private void Output()
    {
        var wanted = Enumerable.Range(0, rows.Count).Where(IsOutput).ToList();
        outputs.Reserve(Math.Min(OutputRows, wanted.Count));
        logits.Reserve(Math.Min(OutputRows, wanted.Count));
        foreach (var part in wanted.Chunk(OutputRows))
        {
            for (var i = 0; i < part.Length; i++)
                new ReadOnlySpan<float>(normal[part[i]], config.NEmbd).CopyTo(new Span<float>(outputs[i], config.NEmbd));
            linear.Run(new Linear(weights.Output, Bias: null), outputs, part.Length, logits);  // (R, C) -> (R, V)
            for (var i = 0; i < part.Length; i++)
            {
                var (request, _, position) = rows[part[i]];
                request.OnLogits!(position, new ReadOnlySpan<float>(logits[i], config.VocabSize));
            }
        }
    }

    private bool IsOutput(int row)
    {
        var (request, _, position) = rows[row];
        var firstOutput = request.Cache.Length - request.Ids.Length + request.FirstOutput;
        return request.OnLogits is not null && position >= firstOutput;
    }
}
