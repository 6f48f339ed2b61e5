// The other side of the generation benchmark: GPT-2 with a key-value cache as a C# programmer would write it with TorchSharp,
// tensors concatenated token by token. Not part of the library.

using System.Diagnostics;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;
using F = TorchSharp.torch.nn.functional;

namespace NanoGpt.Benchmarks;

internal sealed class PlainDecoding : IDisposable
{
    private sealed record Block(LayerNorm Norm1, Linear Attention, Linear AttentionOutput, LayerNorm Norm2, Linear Mlp, Linear MlpOutput);

    private readonly TorchSharp.DisposeScope _scope;
    private readonly int _heads;
    private readonly Embedding _tokens, _positions;
    private readonly Block[] _blocks;
    private readonly LayerNorm _finalNorm;

    public PlainDecoding(GPTConfig config)
    {
        Native.Libtorch.EnsureLoaded();
        using var noGrad = no_grad();
        _scope = NewDisposeScope();
        _heads = config.NHead;
        int c = config.NEmbd, inner = config.InnerSize;
        (_tokens, _positions) = (Embedding(config.VocabSize, c), Embedding(config.BlockSize, c));
        _blocks = Enumerable.Range(0, config.NLayer).Select(_ => new Block(
            LayerNorm(c), Linear(c, 3 * c), Linear(c, c), LayerNorm(c), Linear(c, inner), Linear(inner, c))).ToArray();
        _finalNorm = LayerNorm(c);
    }

    /// <summary>How long greedy decoding of so many tokens takes after a prompt.</summary>
    public double Seconds(int prompt, int count)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var past = new (Tensor Keys, Tensor Values)?[_blocks.Length];
        var next = Forward(arange(prompt).reshape(1, prompt), past, 0);
        var start = Stopwatch.GetTimestamp();
        for (var i = 0; i < count; i++)
        {
            using var step = NewDisposeScope();
            next = Forward(tensor([next], [1, 1]), past, prompt + i);
            foreach (var kept in past) _ = (kept!.Value.Keys.MoveToOuterDisposeScope(), kept.Value.Values.MoveToOuterDisposeScope());
        }

        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    public void Dispose() => _scope.Dispose();

    private long Forward(Tensor ids, (Tensor Keys, Tensor Values)?[] past, int first)
    {
        var T = ids.shape[1];
        var x = _tokens.forward(ids) + _positions.forward(arange(first, first + T));
        for (var i = 0; i < _blocks.Length; i++)
        {
            var block = _blocks[i];
            x = x + block.AttentionOutput.forward(Attend(block.Attention.forward(block.Norm1.forward(x)), ref past[i]));
            x = x + block.MlpOutput.forward(F.gelu(block.Mlp.forward(block.Norm2.forward(x)), TorchSharp.Modules.GELU.Approximate.tanh));
        }

        var last = _finalNorm.forward(x[.., -1, ..]);
        return F.linear(last, _tokens.weight!).argmax().item<long>();
    }

    private Tensor Attend(Tensor qkv, ref (Tensor Keys, Tensor Values)? past)
    {
        var parts = qkv.chunk(3, 2).Select(part => part.view(1, part.shape[1], _heads, -1).transpose(1, 2)).ToArray(); // (1, nh, T, hs)
        var isPrompt = past is null;
        var (keys, values) = (parts[1], parts[2]);
        if (past is { } before)
        {
            (keys, values) = (cat([before.Keys, keys], 2), cat([before.Values, values], 2));
            before.Keys.Dispose();
            before.Values.Dispose();
        }

        past = (keys, values);
        var y = F.scaled_dot_product_attention(parts[0], keys, values, is_casual: isPrompt);
        return y.transpose(1, 2).contiguous().view(1, y.shape[2], -1);
    }
}
