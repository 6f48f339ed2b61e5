// The loss from the last hidden state in one operation. Projection, softmax and their gradients are done a few tokens at
// a time, so that the logits - tokens times vocabulary, the largest tensor of a step - never exist as a whole, let alone the
// four times that autograd keeps them.

using NanoGpt.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace NanoGpt.Autograd;

/// <summary>Mean cross entropy of <c>hidden @ weight^T</c>, with its gradients computed along the way.</summary>
internal sealed class ProjectedCrossEntropy : autograd.SingleTensorFunction<ProjectedCrossEntropy>
{
    /// <summary>How many logits exist at a time: 64 MB of float32, large enough for full speed of the products.</summary>
    public const int LogitsAtATime = 1 << 24;

    private const int Ignored = -1;

    public override string Name => nameof(ProjectedCrossEntropy);

    /// <summary>The mean over all targets that are not -1, a scalar.</summary>
    /// <param name="hidden">(N, C).</param>
    /// <param name="weight">(V, C).</param>
    /// <param name="targets">(N), int64.</param>
    /// <param name="productType">The type of the products, or null for that of <paramref name="hidden"/>, as all else is.</param>
    /// <param name="logitsAtATime">How many logits may exist at a time.</param>
    public static Tensor Of(
        Tensor hidden, Tensor weight, Tensor targets, ScalarType? productType = null, int logitsAtATime = LogitsAtATime) => apply(
            hidden, weight, targets, productType ?? hidden.dtype, is_grad_enabled() && (hidden.requires_grad || weight.requires_grad),
            logitsAtATime);

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var (hidden, weight, targets) = ((Tensor)vars[0], (Tensor)vars[1], (Tensor)vars[2]);
        var (productType, needsGradient, logitsAtATime) = ((ScalarType)vars[3], (bool)vars[4], (int)vars[5]);
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var type = hidden.dtype;
        long N = hidden.size(0), V = weight.size(0);

        var isCounted = targets.Differs(Ignored);                // (N)
        var share = isCounted.to(type).div_(isCounted.sum());    // (N): 1 / how many count, or 0
        var ids = targets.Masked(isCounted.logical_not(), 0); // (N)
        var factor = weight.to(productType);
        var loss = zeros([], type, hidden.device);
        var hiddenGradient = needsGradient ? empty_like(hidden) : null;
        var weightGradient = needsGradient ? zeros_like(weight) : null;

        // Logits lie here as (V, n), a column for each token: on a CPU the products of the tall weight with few tokens are a
        // quarter faster that way around.
        var chunks = Math.Max(1, (N * V + logitsAtATime - 1) / logitsAtATime);
        for (long start = 0, rows = (N + chunks - 1) / chunks; start < N; start += rows)
        {
            using var chunk = NewDisposeScope();
            var n = Math.Min(rows, N - start);
            var x = hidden.narrow(0, start, n).to(productType);  // (n, C)
            var (id, shareOfToken) = (ids.narrow(0, start, n).unsqueeze(0), share.narrow(0, start, n)); // (1, n), (n)

            var logits = factor.mm(x.t().contiguous()).to(type); // (V, C) (C, n) -> (V, n)
            _ = logits.sub_(logits.amax([0], keepdim: true));    // so that exp cannot overflow
            var target = logits.gather(0, id);                   // (1, n)
            _ = logits.exp_();
            var sum = logits.sum(0, keepdim: true);              // (1, n)
            _ = loss.Add(sum.log().sub_(target).mul_(shareOfToken).sum());
            if (!needsGradient) continue;

            _ = logits.mul_(shareOfToken / sum).scatter_add_(0, id, -shareOfToken.unsqueeze(0)); // (softmax - one hot) / count
            var slope = logits.to(productType);
            _ = hiddenGradient!.narrow(0, start, n).copy_(factor.t().mm(slope).t()); // (C, V) (V, n) -> (C, n) -> (n, C)
            if (productType == type) _ = weightGradient!.addmm_(slope, x);           // (V, n) (n, C) -> (V, C)
            else _ = weightGradient!.Add(slope.mm(x));
        }

        if (needsGradient) ctx.save_for_backward([hiddenGradient!.MoveToOuterDisposeScope(), weightGradient!.MoveToOuterDisposeScope()]);
        return loss.MoveToOuterDisposeScope();
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        var saved = ctx.get_saved_variables();
        using var noGrad = no_grad();

        // Only the backward pass uses them, and only once: in place. Most often the factor is 1, and asking is free on the CPU.
        if (grad_output.device_type != DeviceType.CPU || grad_output.item<float>() != 1)
            foreach (var gradient in saved) _ = gradient.mul_(grad_output);
        return [saved[0], saved[1], null!, null!, null!, null!]; // one for each argument of apply
    }
}
