// Gradient checkpointing: a block's inner values are not kept for the backward pass but computed again there. Costs a
// third more arithmetic, saves nearly all of the activations' memory. Results are the same to the bit.

using TorchSharp;
using static TorchSharp.torch;

namespace NanoGpt.Autograd;

/// <summary>Runs a module so that only its input is kept for the backward pass.</summary>
internal sealed class Recomputed : autograd.SingleTensorFunction<Recomputed>
{
    public override string Name => nameof(Recomputed);

    /// <summary>The module's output for <paramref name="x"/>, which must require a gradient.</summary>
    /// <param name="module">What to run, and to run again.</param>
    /// <param name="x">Its input.</param>
    /// <param name="isRandom">Whether it draws random numbers (dropout): the second run then repeats the first one's.</param>
    public static Tensor Run(nn.Module<Tensor, Tensor> module, Tensor x, bool isRandom) => apply(x, module, isRandom);

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var (x, module, isRandom) = ((Tensor)vars[0], (nn.Module<Tensor, Tensor>)vars[1], (bool)vars[2]);
        ctx.save_for_backward([x]);
        ctx.save_data(nameof(module), module);
        ctx.save_data("random", isRandom ? RandomState() : []);
        using var noGrad = no_grad();
        return module.forward(x);
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        var module = (nn.Module<Tensor, Tensor>)ctx.get_data("module");
        var state = (byte[])ctx.get_data("random");
        using var scope = NewDisposeScope();
        using var _ = enable_grad();
        var x = ctx.get_saved_variables()[0].detach().requires_grad_();
        var now = state.Length > 0 ? RandomState() : [];
        if (state.Length > 0) SetRandomState(state);
        module.forward(x).backward([grad_output]);
        if (now.Length > 0) SetRandomState(now);
        return [x.grad!.MoveToOuterDisposeScope(), null!, null!]; // one for each argument of apply
    }

    // As bytes: a tensor would have to outlive the scopes between forward and backward.
    private static byte[] RandomState()
    {
        using var state = random.get_rng_state();
        return state.bytes.ToArray();
    }

    private static void SetRandomState(byte[] state)
    {
        using var tensor = torch.tensor(state);
        random.set_rng_state(tensor);
    }
}
