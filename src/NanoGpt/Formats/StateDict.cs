// From the names, shapes and types that a checkpoint happens to have to the canonical weights of one config: prefixes cut,
// buffers passed over, everything else accounted for before any number is read. Knows no file format.

using System.Runtime.InteropServices;
using NanoGpt.IO;

namespace NanoGpt.Formats;

/// <summary>Makes <see cref="GPTWeights"/> of a state dict.</summary>
/// <param name="config">What the weights must fit.</param>
/// <param name="source">Names the checkpoint in errors.</param>
/// <param name="configSource">Where the config was read.</param>
/// <param name="isConv1D">Whether the matrices of the blocks are stored [in, out], as Hugging Face does, and not as nanoGPT does.</param>
internal sealed unsafe class StateDict(GPTConfig config, string source, string configSource, bool isConv1D)
{
    private const string LmHead = "lm_head.weight";
    private const string TokenEmbedding = "wte.weight";
    private const int MaxFaults = UntrustedText.MaxNames;

    /// <summary>Wrapped around names by a compiled and by a distributed model, and by GPT2LMHeadModel.</summary>
    private static readonly string[] Prefixes = ["_orig_mod.", "module.", "transformer."];

    /// <summary>Whether Hugging Face's or nanoGPT's causal mask is meant: a buffer, not a parameter.</summary>
    public static bool IsBuffer(string canonicalName) =>
        canonicalName.StartsWith("h.", StringComparison.Ordinal)
        && (canonicalName.EndsWith(".attn.bias", StringComparison.Ordinal) || canonicalName.EndsWith(".attn.masked_bias", StringComparison.Ordinal));

    /// <summary>The name without the prefixes that wrappers put before it, in whatever order.</summary>
    public static string Canonical(string name)
    {
        var start = 0;
        while (Prefixes.FirstOrDefault(prefix => name.AsSpan(start).StartsWith(prefix)) is { } prefix) start += prefix.Length;
        return name[start..];
    }

    /// <summary>Checks all names, then all types and shapes, and only then looks at numbers.</summary>
    /// <param name="stored">The state dict.</param>
    /// <param name="owner">Disposed with the weights.</param>
    /// <param name="ignoreUnexpected">Whether tensors that GPT-2 does not have are passed over.</param>
    /// <exception cref="ModelFormatException">The tensors are not those of the config.</exception>
    public GPTWeights Bind(IEnumerable<StoredTensor> stored, IDisposable? owner, bool ignoreUnexpected = false)
    {
        var byName = Collect(stored);
        byName.Remove(LmHead, out var tiedHead);
        if (!config.TieWordEmbeddings && tiedHead is not null)
        {
            byName.Add(LmHead, tiedHead);
            tiedHead = null;
        }

        var biases = config.Bias ? [] : TakeBiases(byName);
        var unexpected = CheckNames(byName, ignoreUnexpected);
        var tensors = MakeTensors(byName);
        if (tiedHead is not null) CheckTiedHead(tiedHead, tensors[TokenEmbedding]);
        foreach (var bias in biases) CheckZero(bias);
        return new GPTWeights(config, tensors, owner) { Ignored = unexpected };
    }

    private Dictionary<string, StoredTensor> Collect(IEnumerable<StoredTensor> stored)
    {
        var byName = new Dictionary<string, StoredTensor>();
        foreach (var tensor in stored)
        {
            var name = Canonical(tensor.Name);
            if (IsBuffer(name)) continue;
            if (!byName.TryAdd(name, tensor))
            {
                throw new ModelFormatException(
                    $"{source} has {UntrustedText.Quote(name)} twice, as {UntrustedText.Quote(byName[name].Name)} and as {UntrustedText.Quote(tensor.Name)}. "
                    + "Which of the two is meant cannot be known: remove one.");
            }
        }

        return byName;
    }

    /// <summary>A model without biases is published with zeros in their places: transformers has no option to leave them out.</summary>
    private List<StoredTensor> TakeBiases(Dictionary<string, StoredTensor> byName)
    {
        var biases = new List<StoredTensor>();
        var blocks = Math.Min(config.NLayer, byName.Count); // n_layer may be absurd
        foreach (var (name, shape) in GPTWeights.Expected(config with { Bias = true, NLayer = blocks }))
        {
            if (!name.EndsWith(".bias", StringComparison.Ordinal) || !byName.Remove(name, out var bias)) continue;
            if (!bias.Shape.AsSpan().SequenceEqual(shape) || !bias.Type.HoldsWeights()) throw ShapeFault([Describe(name, bias, shape)]);
            biases.Add(bias);
        }

        return biases;
    }

    /// <summary>Nothing may be missing, and nothing too much unless that is allowed.</summary>
    /// <returns>What is too much.</returns>
    private List<string> CheckNames(Dictionary<string, StoredTensor> byName, bool ignoreUnexpected)
    {
        // n_layer comes from a file and may be absurd: the list ends when there is enough to say.
        var found = new HashSet<string>();
        var missing = new List<string>();
        foreach (var (name, _) in GPTWeights.Expected(config))
        {
            if (byName.ContainsKey(name)) found.Add(name);
            else missing.Add(name);
            if (missing.Count > MaxFaults) break;
        }

        var unexpected = byName.Keys.Where(name => !found.Contains(name)).Order(StringComparer.Ordinal).ToList();
        if (missing.Count == 0 && (unexpected.Count == 0 || ignoreUnexpected)) return unexpected;

        var message = $"{source} does not fit {configSource} (n_layer {config.NLayer}).";
        if (missing.Count > MaxFaults) message += $" Missing: {UntrustedText.List(missing[..MaxFaults])} and more.";
        else if (missing.Count > 0) message += $" Missing ({missing.Count}): {UntrustedText.List(missing)}.";
        if (missing.Count <= MaxFaults && unexpected.Count > 0) message += $" Unexpected ({unexpected.Count}): {UntrustedText.List(unexpected)}.";
        var remedy = missing.Count == 0 ? " Are they from the same model? convert --ignore_unexpected (in code: PretrainedOptions.IgnoreUnexpected) leaves them out." : " Are they from the same model?";
        throw new ModelFormatException(message + remedy);
    }

    private Dictionary<string, WeightTensor> MakeTensors(Dictionary<string, StoredTensor> byName)
    {
        var tensors = new Dictionary<string, WeightTensor>();
        var faults = new List<string>();
        foreach (var (name, shape) in GPTWeights.Expected(config))
        {
            var tensor = byName[name];
            var isInOut = isConv1D && GPTWeights.IsConv1D(name);
            var expected = isInOut ? [shape[1], shape[0]] : shape;
            if (!tensor.Shape.AsSpan().SequenceEqual(expected) || !tensor.Type.HoldsWeights()) faults.Add(Describe(tensor.Name, tensor, expected));
            else tensors.Add(name, MakeTensor(name, tensor, isInOut));
        }

        return faults.Count == 0 ? tensors : throw ShapeFault(faults);
    }

    private static WeightTensor MakeTensor(string name, StoredTensor tensor, bool isInOut) => tensor.IsTransposed
        ? new WeightTensor(name, tensor.Type, [tensor.Shape[1], tensor.Shape[0]], !isInOut, tensor.Data, tensor.File)
        : new WeightTensor(name, tensor.Type, tensor.Shape, isInOut, tensor.Data, tensor.File);

    private static string Describe(string name, StoredTensor tensor, long[] expected) => tensor.Type.HoldsWeights()
        ? $"tensor {UntrustedText.Quote(name)} has shape [{string.Join(", ", tensor.Shape)}], needed is [{string.Join(", ", expected)}]"
        : $"tensor {UntrustedText.Quote(name)} has type {tensor.Type.Name()}, needed is F32, F16, BF16 or F64";

    private ModelFormatException ShapeFault(List<string> faults)
    {
        var more = faults.Count > MaxFaults ? $"; and {faults.Count - MaxFaults} more" : "";
        return new ModelFormatException(
            $"{source} does not fit {configSource} (n_embd {config.NEmbd}, n_positions {config.BlockSize}, vocab_size {config.VocabSize}, n_inner {config.InnerSize}): "
            + $"{string.Join("; ", faults.Take(MaxFaults))}{more}. Are they from the same model?");
    }

    /// <summary>A tied output projection may be stored, but only as what it is: the token embedding once more.</summary>
    private void CheckTiedHead(StoredTensor head, WeightTensor embedding)
    {
        if (!head.Shape.AsSpan().SequenceEqual([config.VocabSize, config.NEmbd]) || !head.Type.HoldsWeights())
            throw ShapeFault([Describe(head.Name, head, [config.VocabSize, config.NEmbd])]);

        var tied = MakeTensor(LmHead, head, isInOut: false);
        var isSame = tied.Data == embedding.Data && tied.Type == embedding.Type && tied.IsInOut == embedding.IsInOut;
        if (!isSame && !HaveSameValues(tied, embedding))
        {
            throw new ModelFormatException(
                $"{source} has an {LmHead} that differs from {TokenEmbedding}, but {configSource} ties the two. "
                + "Set tie_word_embeddings to false in config.json if the model has an output projection of its own.");
        }
    }

    private static bool HaveSameValues(WeightTensor a, WeightTensor b)
    {
        const int BlockLength = 1 << 16;
        var rowsAtOnce = Math.Max(1, BlockLength / Math.Max(1, a.Columns));
        var blockA = new float[rowsAtOnce * a.Columns];
        var blockB = new float[blockA.Length];
        for (var row = 0L; row < a.Rows; row += rowsAtOnce)
        {
            var count = Math.Min(rowsAtOnce, a.Rows - row);
            fixed (float* pA = blockA, pB = blockB)
            {
                a.CopyRows(pA, row, count);
                b.CopyRows(pB, row, count);
            }

            var length = (int)(count * a.Columns);
            var bytesA = MemoryMarshal.AsBytes(blockA.AsSpan(0, length));
            if (!bytesA.SequenceEqual(MemoryMarshal.AsBytes(blockB.AsSpan(0, length)))) return false;
        }

        a.Release();
        b.Release();
        return true;
    }

    private void CheckZero(StoredTensor bias)
    {
        var tensor = MakeTensor(bias.Name, bias, isInOut: false);
        for (var i = 0L; i < tensor.ElementCount; i++)
        {
            if (tensor.ReadElement(i) != 0)
                throw new ModelFormatException($"{source}: {UntrustedText.Quote(bias.Name)} is not zero, but {configSource} says bias false.");
        }
    }
}
