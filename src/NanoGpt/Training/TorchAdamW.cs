// AdamW by libtorch's own operators: its fused kernel (one call for all parameters), and the plain sequence of operations
// that works for every device and type and that the others are proved against.

using NanoGpt.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace NanoGpt.Training;

/// <summary>The arithmetic of AdamW in tensor operations.</summary>
internal sealed class TorchAdamW(AdamWSlot[] slots, AdamWOptions options) : IDisposable
{
    // torch._fused_adamw_ has no binding in TorchSharp; TorchScript reaches every operator. Its step counts are tensors.
    private const string FusedSource = """
        def step(p: List[Tensor], g: List[Tensor], m: List[Tensor], v: List[Tensor], s: List[Tensor], scale: Tensor,
                 lr: float, beta1: float, beta2: float, decay: float, eps: float) -> int:
            none : List[Tensor] = []
            torch._fused_adamw_(p, g, m, v, none, s, lr=lr, beta1=beta1, beta2=beta2, weight_decay=decay, eps=eps,
                                amsgrad=False, maximize=False, grad_scale=scale)
            return 0

        """; // TorchScript wants the last line ended

    private readonly Tensor?[] _gradients = new Tensor?[slots.Length];
    private jit.CompilationUnit? _fused;

    /// <summary>Finds this step's gradients, which live in the caller's scope, and returns their 2-norm.</summary>
    public double ReadGradients()
    {
        for (var i = 0; i < slots.Length; i++) _gradients[i] = slots[i].Parameter.grad;
        var norms = _gradients.Where(g => g is not null).Select(g => g!.norm().to(ScalarType.Float64)).ToArray();
        return norms.Length == 0 ? 0 : stack(norms).norm().item<double>(); // one wait for the device
    }

    /// <summary>Moves all parameters by the fused kernel, once for those that decay and once for the rest.</summary>
    public void ApplyFused(long step, double learningRate, double gradientScale)
    {
        _fused ??= jit.compile(FusedSource);
        foreach (var decay in new[] { true, false })
        {
            var group = Enumerable.Range(0, slots.Length).Where(i => slots[i].Decay == decay && _gradients[i] is not null).ToArray();
            if (group.Length == 0) continue;
            var device = slots[group[0]].Parameter.device;
            var scale = tensor((float)(1 / gradientScale), device: device); // the kernel divides by it
            using Scalar lr = learningRate, beta1 = options.Beta1, beta2 = options.Beta2, decays = decay ? options.WeightDecay : 0.0, epsilon = options.Epsilon;
            _ = _fused.invoke("step", [
                group.Select(i => (Tensor)slots[i].Parameter).ToArray(), group.Select(i => _gradients[i]!).ToArray(),
                group.Select(i => slots[i].ExpAvg).ToArray(), group.Select(i => slots[i].ExpAvgSq).ToArray(),
                group.Select(_ => tensor((float)step, device: device)).ToArray(), scale,
                lr, beta1, beta2, decays, epsilon]); // Scalars of ours, that live until the call is over: see Native/HeldNumbers.cs
        }
    }

    /// <summary>Moves each parameter by single operations, in the order of torch.optim.AdamW.</summary>
    public void ApplyPlain(long step, double learningRate, double gradientScale)
    {
        var correction1 = 1 - Math.Pow(options.Beta1, step);
        var correction2 = Math.Sqrt(1 - Math.Pow(options.Beta2, step));
        using Scalar keep = 1 - learningRate * options.WeightDecay, beta1 = options.Beta1, rest1 = 1 - options.Beta1, beta2 = options.Beta2,
            rest2 = 1 - options.Beta2, root = correction2, epsilon = options.Epsilon, stepSize = -learningRate / correction1;
        for (var i = 0; i < slots.Length; i++)
        {
            if (_gradients[i] is not { } gradient) continue;
            using var scope = NewDisposeScope();
            var slot = slots[i];
            if (gradientScale != 1) gradient = gradient.Times(gradientScale);
            if (slot.Decay) _ = slot.Parameter.mul_(keep);
            _ = slot.ExpAvg.mul_(beta1).add_(gradient, alpha: rest1);
            _ = slot.ExpAvgSq.mul_(beta2).addcmul_(gradient, gradient, value: rest2);
            var divisor = slot.ExpAvgSq.sqrt().div_(root).add_(epsilon);
            _ = slot.Parameter.addcdiv_(slot.ExpAvg, divisor, value: stepSize);
        }
    }

    public void Dispose() => _fused?.Dispose();
}
