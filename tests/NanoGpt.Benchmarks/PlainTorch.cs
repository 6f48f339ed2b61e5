// The other side of the training benchmark: nanoGPT's model.py and train.py carried over to TorchSharp line by line, with
// torch.optim.AdamW and default settings. What a C# programmer would write in an afternoon. Not part of the library.

using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;
using F = TorchSharp.torch.nn.functional;

namespace NanoGpt.Benchmarks;

internal sealed class PlainAttention : Module<Tensor, Tensor>
{
    private readonly Linear c_attn, c_proj;
    private readonly long n_head;

    public PlainAttention(GPTConfig config) : base(nameof(PlainAttention))
    {
        c_attn = Linear(config.NEmbd, 3 * config.NEmbd);
        c_proj = Linear(config.NEmbd, config.NEmbd);
        n_head = config.NHead;
        RegisterComponents();
    }

    public override Tensor forward(Tensor x)
    {
        long B = x.shape[0], T = x.shape[1], C = x.shape[2];
        var qkv = c_attn.forward(x).split(C, dim: 2);
        var q = qkv[0].view(B, T, n_head, C / n_head).transpose(1, 2);
        var k = qkv[1].view(B, T, n_head, C / n_head).transpose(1, 2);
        var v = qkv[2].view(B, T, n_head, C / n_head).transpose(1, 2);
        var y = F.scaled_dot_product_attention(q, k, v, is_casual: true);
        return c_proj.forward(y.transpose(1, 2).contiguous().view(B, T, C));
    }
}

internal sealed class PlainBlock : Module<Tensor, Tensor>
{
    private readonly LayerNorm ln_1, ln_2;
    private readonly PlainAttention attn;
    private readonly Linear c_fc, c_proj;

    public PlainBlock(GPTConfig config) : base(nameof(PlainBlock))
    {
        ln_1 = LayerNorm(config.NEmbd);
        attn = new PlainAttention(config);
        ln_2 = LayerNorm(config.NEmbd);
        c_fc = Linear(config.NEmbd, 4 * config.NEmbd);
        c_proj = Linear(4 * config.NEmbd, config.NEmbd);
        RegisterComponents();
    }

    public override Tensor forward(Tensor x)
    {
        x = x + attn.forward(ln_1.forward(x));
        return x + c_proj.forward(F.gelu(c_fc.forward(ln_2.forward(x)), TorchSharp.Modules.GELU.Approximate.tanh));
    }
}

internal sealed class PlainGpt : Module<Tensor, Tensor, Tensor>
{
    private readonly Embedding wte, wpe;
    private readonly ModuleList<PlainBlock> h;
    private readonly LayerNorm ln_f;

    public PlainGpt(GPTConfig config) : base(nameof(PlainGpt))
    {
        wte = Embedding(config.VocabSize, config.NEmbd);
        wpe = Embedding(config.BlockSize, config.NEmbd);
        h = ModuleList(Enumerable.Range(0, config.NLayer).Select(_ => new PlainBlock(config)).ToArray());
        ln_f = LayerNorm(config.NEmbd);
        RegisterComponents();
        using var _ = no_grad();
        foreach (var (name, parameter) in named_parameters())
        {
            if (name.EndsWith("bias", StringComparison.Ordinal)) init.zeros_(parameter); // the matrices are Train.cs's, the same on both sides
        }
    }

    public override Tensor forward(Tensor idx, Tensor targets)
    {
        var x = wte.forward(idx) + wpe.forward(arange(idx.shape[1], dtype: int64));
        foreach (var block in h) x = block.forward(x);
        var logits = F.linear(ln_f.forward(x), wte.weight!);
        return F.cross_entropy(logits.view(-1, logits.shape[2]), targets.view(-1), ignore_index: -1);
    }
}

/// <summary>One step of train.py.</summary>
internal sealed class PlainTraining(PlainGpt model, double learningRate)
{
    private readonly optim.Optimizer _optimizer = optim.AdamW(
        [
            new AdamW.ParamGroup(model.parameters().Where(p => p.dim() >= 2), new AdamW.Options { weight_decay = 0.1 }),
            new AdamW.ParamGroup(model.parameters().Where(p => p.dim() < 2), new AdamW.Options { weight_decay = 0 }),
        ],
        learningRate, 0.9, 0.95);

    public float Step(long[] x, long[] y, long[] shape)
    {
        using var scope = NewDisposeScope();
        var loss = model.forward(tensor(x, shape), tensor(y, shape));
        loss.backward();
        _ = nn.utils.clip_grad_norm_(model.parameters(), 1.0);
        _ = _optimizer.step();
        _optimizer.zero_grad();
        return loss.item<float>();
    }
}
