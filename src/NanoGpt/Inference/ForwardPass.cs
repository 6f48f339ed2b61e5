// The way of some tokens through the network: the managed engine's twin of GPTModel.cs. One instance holds the memory for
// the rows in between and serves one pass at a time. The rows of all sequences lie one under the other: (R, C).

using NanoGpt.Numerics;

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

    private readonly GPTConfig _config;
    private readonly EngineWeights _weights;
    private readonly PanelKernels _kernels;
    private readonly WorkerTeam _team;
    private readonly PackingScratch[] _scratch;
    private readonly LinearProduct _linear;
    private readonly AttentionProduct _attention;
    private readonly Action<int, int> _embedRow;
    private readonly Action<int, int> _normalizeRow;

    private readonly Rows _residual;
    private readonly Rows _normal;
    private readonly Rows _qkv;
    private readonly Rows _inner;
    private readonly Rows _branch;
    private readonly Rows _outputs;
    private readonly Rows _logits;

    // What each row is: the request it belongs to, its id and its position.
    private readonly List<(ForwardRequest Request, int Id, int Position)> _rows = [];
    private Norm _norm = null!;
    private int _layer;

    public ForwardPass(GPTConfig config, EngineWeights weights, PanelKernels kernels, WorkerTeam team)
    {
        (_config, _weights, _kernels, _team) = (config, weights, kernels, team);
        _scratch = Enumerable.Range(0, _team.Size).Select(_ => new PackingScratch()).ToArray();
        _linear = new LinearProduct(_kernels, _team, _scratch);
        _attention = new AttentionProduct(_config, _kernels, _team);
        (_embedRow, _normalizeRow) = (EmbedRow, NormalizeRow);
        _residual = new Rows(_config.NEmbd);
        _normal = new Rows(_config.NEmbd);
        _qkv = new Rows(3 * _config.NEmbd);
        _inner = new Rows(_config.InnerSize);
        _branch = new Rows(_config.NEmbd);
        _outputs = new Rows(_config.NEmbd);
        _logits = new Rows(_config.VocabSize);
    }

    /// <summary>Operations that something simple on all rows takes.</summary>
    private long RowWork => 10L * _rows.Count * _config.NEmbd;

    /// <summary>Runs the batch. Each cache advances by its tokens; consumers are called on this thread.</summary>
    public void Run(IReadOnlyList<ForwardRequest> batch)
    {
        Prepare(batch);
        var count = _rows.Count;

        _team.For(count, RowWork, _embedRow);                                         // ids -> (R, C)
        for (_layer = 0; _layer < _config.NLayer; _layer++)
        {
            var block = _weights.Blocks[_layer];
            Normalize(block.Norm1);
            ShowHidden(_layer, _residual);
            _linear.Run(block.Attention, _normal, count, _qkv);              // (R, C) -> (R, 3 C)
            _attention.Run(_layer, _qkv, _normal);                           // (R, 3 C) -> (R, C)
            _linear.Run(block.AttentionOutput, _normal, count, _branch);
            Normalize(block.Norm2);
            _linear.Run(block.Mlp, _normal, count, _inner, _config.Activation); // (R, C) -> (R, inner)
            _linear.Run(block.MlpOutput, _inner, count, _branch);            // (R, inner) -> (R, C)
        }

        Normalize(_weights.FinalNorm);
        ShowHidden(_config.NLayer, _residual);
        ShowHidden(_config.NLayer + 1, _normal);
        foreach (var request in batch) request.Cache.Advance(request.Cache.Length + request.Ids.Length);
        Output();

        // What follows uses pointers only; the memory must outlive it even if the caller lets go of the model.
        GC.KeepAlive(batch);
        GC.KeepAlive(this);
    }

    public void Dispose()
    {
        foreach (var part in new[] { _residual, _normal, _qkv, _inner, _branch, _outputs, _logits }) part.Dispose();
        foreach (var scratch in _scratch) scratch.Dispose();
        _linear.Dispose();
        _attention.Dispose();
    }

    private void Prepare(IReadOnlyList<ForwardRequest> batch)
    {
        _rows.Clear();
        foreach (var request in batch)
        {
            var start = request.Cache.Length;
            request.Cache.Reserve(start + request.Ids.Length);
            for (var i = 0; i < request.Ids.Length; i++) _rows.Add((request, request.Ids.Span[i], start + i));
        }

        foreach (var part in new[] { _residual, _normal, _qkv, _inner, _branch }) part.Reserve(_rows.Count);
        _attention.Prepare(batch);
    }

    private void EmbedRow(int row, int worker)
    {
        var (_, id, position) = _rows[row];
        _weights.TokenEmbedding.CopyRow(id, _residual[row], _scratch[worker]);
        var positionRow = _weights.PositionEmbedding.Floats + (long)position * _config.NEmbd;
        for (var c = 0; c < _config.NEmbd; c++) _residual[row][c] += positionRow[c];

        // Nothing to add to the embeddings.
        new Span<float>(_branch[row], _config.NEmbd).Clear();
    }

    /// <summary>Adds the last branch to the residual stream and normalizes it.</summary>
    private void Normalize(Norm by)
    {
        _norm = by;
        _team.For(_rows.Count, RowWork, _normalizeRow);
    }

    private void NormalizeRow(int row, int worker)
    {
        _kernels.Rows.Add(_residual[row], _branch[row], _config.NEmbd);
        _kernels.Rows.LayerNorm(
            _residual[row], _norm.Weight.Floats, _norm.Bias is null ? null : _norm.Bias.Floats, (float)_config.LayerNormEpsilon,
            _config.NEmbd, _normal[row]);
    }

    private void ShowHidden(int stage, Rows states)
    {
        for (var row = 0; row < _rows.Count; row++)
        {
            var (request, _, position) = _rows[row];
            request.OnHidden?.Invoke(stage, position, new ReadOnlySpan<float>(states[row], _config.NEmbd));
        }
    }

    /// <summary>Computes the logits that are wanted, some rows at a time.</summary>
    private void Output()
    {
        var wanted = Enumerable.Range(0, _rows.Count).Where(IsOutput).ToList();
        _outputs.Reserve(Math.Min(OutputRows, wanted.Count));
        _logits.Reserve(Math.Min(OutputRows, wanted.Count));
        foreach (var part in wanted.Chunk(OutputRows))
        {
            for (var i = 0; i < part.Length; i++)
                new ReadOnlySpan<float>(_normal[part[i]], _config.NEmbd).CopyTo(new Span<float>(_outputs[i], _config.NEmbd));
            _linear.Run(new Linear(_weights.Output, Bias: null), _outputs, part.Length, _logits); // (R, C) -> (R, V)
            for (var i = 0; i < part.Length; i++)
            {
                var (request, _, position) = _rows[part[i]];
                request.OnLogits!(position, new ReadOnlySpan<float>(_logits[i], _config.VocabSize));
            }
        }
    }

    private bool IsOutput(int row)
    {
        var (request, _, position) = _rows[row];
        var firstOutput = request.Cache.Length - request.Ids.Length + request.FirstOutput;
        return request.OnLogits is not null && position >= firstOutput;
    }
}
