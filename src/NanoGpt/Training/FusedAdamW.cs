// AdamW with decoupled weight decay and gradient clipping, as torch.optim.AdamW and nanoGPT's train.py do them, in one step.
// Knows parameters and their moments; not the schedule, not checkpoints. The arithmetic is in AdamWPass.cs (float32 on the
// CPU, one pass over memory) and TorchAdamW.cs (everything else).

using NanoGpt.Native;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace NanoGpt.Training;

/// <summary>What does the arithmetic of a step.</summary>
internal enum AdamWBackend
{
    /// <summary>The fastest that fits the parameters.</summary>
    Auto,

    /// <summary>One pass of our own over the memory; float32 on the CPU.</summary>
    Pass,

    /// <summary>libtorch's fused kernel: CPU, CUDA and MPS.</summary>
    Fused,

    /// <summary>A dozen tensor operations for each parameter: any device and type.</summary>
    Plain,
}

/// <summary>The settings that stay the same over a run. The defaults are nanoGPT's.</summary>
internal sealed record AdamWOptions
{
    /// <summary>How slowly the mean of the gradients moves.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>How slowly the mean of their squares moves.</summary>
    public double Beta2 { get; init; } = 0.95;

    /// <summary>Added to the divisor.</summary>
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>Share of a decaying parameter that a step with learning rate 1 takes away.</summary>
    public double WeightDecay { get; init; } = 0.1;

    /// <summary>What does the arithmetic.</summary>
    public AdamWBackend Backend { get; init; } = AdamWBackend.Auto;
}

/// <summary>The mean gradient and mean square gradient of one parameter. float32, or the parameter's type where that differs.</summary>
internal sealed record AdamWMoments(string Name, Tensor ExpAvg, Tensor ExpAvgSq);

/// <summary>All that a resumed run needs: the tensors are the optimizer's own and change with its next step.</summary>
internal sealed record AdamWState(long Step, IReadOnlyList<AdamWMoments> Moments);

/// <summary>The optimizer. Not thread safe.</summary>
internal sealed class FusedAdamW : IDisposable
{
    private readonly AdamWSlot[] _slots;
    private readonly AdamWOptions _options;
    private readonly AdamWBackend _backend;
    private readonly TorchAdamW _torch;
    private readonly AdamWPass _pass;
    private long _step;

    /// <param name="parameters">Each parameter once, with the name its moments get in a checkpoint and whether it decays.</param>
    /// <param name="options">null for nanoGPT's.</param>
    /// <exception cref="ArgumentException">A name or parameter occurs twice, or the backend does not fit them.</exception>
    public FusedAdamW(IEnumerable<(string Name, Parameter Parameter, bool Decay)> parameters, AdamWOptions? options = null)
    {
        _options = options ?? new AdamWOptions();
        using var scope = NewDisposeScope(); // the moments leave it: they live as long as the optimizer
        using var noGrad = no_grad();
        _slots = [.. parameters.Select(p => new AdamWSlot(p.Name, p.Parameter, p.Decay))];
        if (_slots.Select(s => s.Name).Distinct().Count() != _slots.Length
            || _slots.Select(s => s.Parameter.Handle).Distinct().Count() != _slots.Length)
            throw new ArgumentException("each parameter may be given once, under a name of its own", nameof(parameters));

        _backend = Choose(_options.Backend, _slots);
        _torch = new TorchAdamW(_slots, _options);
        _pass = new AdamWPass(_slots, _options);
    }

    /// <summary>What does the arithmetic: never <see cref="AdamWBackend.Auto"/>.</summary>
    public AdamWBackend Backend => _backend;

    /// <summary>Clips the gradients by their 2-norm over all parameters, then moves the parameters.</summary>
    /// <param name="learningRate">This step's learning rate.</param>
    /// <param name="maxGradNorm">Gradients are scaled by min(1, maxGradNorm / (norm + 1e-6)); 0 leaves them as they are.</param>
    /// <param name="lossScale">What the loss was multiplied by before the backward pass; the norm and the step are those without it.</param>
    /// <param name="skip">Asked with the norm whether to leave out this step; null for never.</param>
    /// <returns>The norm before clipping. Where it is not finite, or the step was left out, nothing has changed.</returns>
    public double Step(double learningRate, double maxGradNorm, double lossScale = 1, Func<double, bool>? skip = null)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var norm = (_backend == AdamWBackend.Pass ? _pass.ReadGradients() : _torch.ReadGradients()) / lossScale;
        if (!double.IsFinite(norm) || skip?.Invoke(norm) == true) return norm;

        var scale = (maxGradNorm > 0 ? Math.Min(1.0, maxGradNorm / (norm + 1e-6)) : 1.0) / lossScale;
        _step++;
        if (_backend == AdamWBackend.Pass) _pass.Apply(_step, learningRate, scale);
        else if (_backend == AdamWBackend.Fused) _torch.ApplyFused(_step, learningRate, scale);
        else _torch.ApplyPlain(_step, learningRate, scale);
        return norm;
    }

    /// <summary>Lets go of the gradients: the next backward pass writes them instead of adding to zeros.</summary>
    public void ZeroGrad()
    {
        foreach (var slot in _slots) slot.Parameter.grad = null;
    }

    /// <summary>The moments as they are: no copies.</summary>
    public AdamWState ExportState() =>
        new(_step, [.. _slots.Select(s => new AdamWMoments(s.Name, s.ExpAvg, s.ExpAvgSq))]);

    /// <summary>Takes over the moments of an earlier run by copying. Either all of it is taken over or nothing.</summary>
    /// <exception cref="CheckpointException">A parameter's moments are missing or have another shape.</exception>
    public void ImportState(AdamWState state)
    {
        using var noGrad = no_grad();
        var byName = state.Moments.ToDictionary(m => m.Name);
        foreach (var slot in _slots)
        {
            if (!byName.TryGetValue(slot.Name, out var found))
                throw new CheckpointException($"the optimizer state has no moments of '{slot.Name}': is it of the same model?");
            if (!found.ExpAvg.shape.SequenceEqual(slot.ExpAvg.shape) || !found.ExpAvgSq.shape.SequenceEqual(slot.ExpAvg.shape))
            {
                throw new CheckpointException($"the optimizer state of '{slot.Name}' has shape [{string.Join(", ", found.ExpAvg.shape)}]; "
                    + $"the parameter has [{string.Join(", ", slot.ExpAvg.shape)}]. Is it of the same model?");
            }
        }

        if (state.Step < 0) throw new CheckpointException($"the optimizer state is of step {state.Step}");
        foreach (var slot in _slots)
        {
            _ = slot.ExpAvg.copy_(byName[slot.Name].ExpAvg);
            _ = slot.ExpAvgSq.copy_(byName[slot.Name].ExpAvgSq);
        }

        _step = state.Step;
    }

    /// <summary>Frees the moments. The parameters belong to their model.</summary>
    public void Dispose()
    {
        _torch.Dispose();
        foreach (var slot in _slots) slot.Dispose();
    }

    private static AdamWBackend Choose(AdamWBackend wanted, AdamWSlot[] slots)
    {
        var passFits = slots.All(s => s.Parameter is { dtype: ScalarType.Float32, device_type: DeviceType.CPU }
            && s.Parameter.is_contiguous() && s.Parameter.numel() <= TensorMemory.MaxElements);
        var fusedFits = slots.Select(s => (s.Parameter.dtype, s.Parameter.device_type, s.Parameter.device_index)).Distinct().Count() <= 1;
        return wanted switch
        {
            AdamWBackend.Pass when !passFits => throw new ArgumentException("the pass needs float32 parameters on the CPU", nameof(wanted)),
            AdamWBackend.Fused when !fusedFits => throw new ArgumentException("the fused kernel needs one device and type", nameof(wanted)),
            AdamWBackend.Auto when passFits => AdamWBackend.Pass,
            AdamWBackend.Auto => fusedFits && slots.Any(s => s.Parameter.device_type == DeviceType.CUDA) ? AdamWBackend.Fused : AdamWBackend.Plain,
            _ => wanted,
        };
    }
}

/// <summary>One parameter and its moments.</summary>
internal sealed class AdamWSlot(string name, Parameter parameter, bool decay) : IDisposable
{
    public string Name => name;

    public Parameter Parameter => parameter;

    public bool Decay => decay;

    public Tensor ExpAvg { get; } = zeros_like(parameter).detach().DetachFromDisposeScope();

    public Tensor ExpAvgSq { get; } = zeros_like(parameter).detach().DetachFromDisposeScope();

    public void Dispose()
    {
        ExpAvg.Dispose();
        ExpAvgSq.Dispose();
    }
}
