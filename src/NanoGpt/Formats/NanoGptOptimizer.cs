// The state of AdamW in a nanoGPT checkpoint, brought from numbers in param_groups to names of parameters.

namespace NanoGpt.Formats;

/// <summary>What AdamW remembers of one parameter.</summary>
/// <param name="ExpAvg">First moment, in the parameter's shape.</param>
/// <param name="ExpAvgSq">Second moment, in the parameter's shape.</param>
/// <param name="Step">Steps taken.</param>
internal sealed record NanoGptMoments(WeightTensor ExpAvg, WeightTensor ExpAvgSq, double Step);

/// <summary>The state of AdamW. Valid as long as its checkpoint is not disposed.</summary>
internal sealed class NanoGptOptimizer
{
    private NanoGptOptimizer(IReadOnlyDictionary<string, NanoGptMoments> moments) => Moments = moments;

    /// <summary>By canonical name of the parameter; all parameters are there.</summary>
    public IReadOnlyDictionary<string, NanoGptMoments> Moments { get; }

    /// <summary>Reads torch's state dict of an optimizer; null where it is empty.</summary>
    /// <exception cref="ModelFormatException">It is not the state of AdamW over this model's parameters.</exception>
    public static NanoGptOptimizer? Read(TorchArchive archive, GPTConfig config, PickleDictionary optimizer)
    {
        if (optimizer.GetValueOrDefault("state") is not PickleDictionary state)
            throw new ModelFormatException($"{archive.Path}: optimizer has no dict 'state'.");
        if (state.Count == 0) return null;

        var parameters = Order(config).ToList();
        if (state.Count != parameters.Count)
            throw new ModelFormatException($"{archive.Path}: the optimizer has state for {state.Count} parameters, the model has {parameters.Count}.");
        var moments = new Dictionary<string, NanoGptMoments>();
        for (var i = 0; i < parameters.Count; i++)
        {
            var (name, shape) = parameters[i];
            if (state.GetValueOrDefault((long)i) is not PickleDictionary one)
                throw new ModelFormatException($"{archive.Path}: the optimizer has no state for parameter {i} ({name}).");
            moments.Add(name, new NanoGptMoments(
                Moment(archive, one, "exp_avg", name, shape), Moment(archive, one, "exp_avg_sq", name, shape), Step(archive, one, name)));
        }

        return new NanoGptOptimizer(moments);
    }

    /// <summary>nanoGPT's configure_optimizers: matrices (decayed) first, then vectors, each in the model's order.</summary>
    public static IEnumerable<(string Name, long[] Shape)> Order(GPTConfig config) =>
        GPTWeights.Expected(config).OrderBy(parameter => parameter.Shape.Length >= 2 ? 0 : 1);

    private static unsafe WeightTensor Moment(TorchArchive archive, PickleDictionary state, string key, string name, long[] shape)
    {
        var label = $"{key} of {name}";
        if (state.GetValueOrDefault(key) is not PickleTensor tensor) throw new ModelFormatException($"{archive.Path}: the optimizer has no {label}.");
        var stored = archive.Locate(label, tensor);
        if (!stored.Shape.AsSpan().SequenceEqual(shape) || !stored.Type.HoldsWeights())
            throw new ModelFormatException($"{archive.Path}: {label} is {stored.Type.Name()} [{string.Join(", ", stored.Shape)}], needed are floats [{string.Join(", ", shape)}].");
        return stored.IsTransposed
            ? new WeightTensor(name, stored.Type, [shape[1], shape[0]], isInOut: true, stored.Data, stored.File)
            : new WeightTensor(name, stored.Type, shape, isInOut: false, stored.Data, stored.File);
    }

    private static double Step(TorchArchive archive, PickleDictionary state, string name) => state.GetValueOrDefault("step") switch
    {
        long step => step, // before PyTorch 1.12
        PickleTensor { Shape.Length: 0 } tensor => archive.Locate($"step of {name}", tensor).ReadScalar(),
        _ => throw new ModelFormatException($"{archive.Path}: the optimizer has no step of {name}."),
    };
}
