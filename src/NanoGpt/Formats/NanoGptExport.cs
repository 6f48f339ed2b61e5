// The way back to nanoGPT: a ckpt.pt that its train.py and sample.py load. A file of torch.save, written without Python:
// docs/decisions/010-nanogpt-export.md says why in this form.

using System.Globalization;
using NanoGpt.IO;

namespace NanoGpt.Formats;

/// <summary>Writes nanoGPT checkpoints.</summary>
internal static class NanoGptExport
{
    private const string Root = "ckpt/"; // the folder inside the zip, which torch.save names after the file

    /// <summary>Writes ckpt.pt into a folder: nanoGPT's <c>out_dir</c>.</summary>
    /// <param name="folder">The folder, made where it does not exist.</param>
    /// <param name="config">The model. nanoGPT has no option for most of what a config can say: what it cannot compute is refused.</param>
    /// <param name="weights">The weights, in any layout; each keeps its element type.</param>
    /// <param name="writeOthers">Writes more files into the folder (a tokenizer's), after the checkpoint.</param>
    /// <returns>What a user should know about how nanoGPT will differ, or null.</returns>
    /// <exception cref="ArgumentException">nanoGPT cannot compute this model.</exception>
    /// <exception cref="CheckpointException">The folder could not be written. An older checkpoint is intact.</exception>
    public static string? Save(string folder, GPTConfig config, GPTWeights weights, Action<string>? writeOthers = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        config.Validate();
        var faults = Faults(config).ToList();
        if (faults.Count > 0) throw new ArgumentException($"nanoGPT cannot compute this model: {string.Join("; ", faults)}.", nameof(config));
        var tensors = GPTWeights.Expected(config).Select(parameter => weights[parameter.Name]).ToList();
        try
        {
            Directory.CreateDirectory(folder);
            AtomicFile.Write(Path.Combine(folder, NanoGptCheckpoint.FileName), stream => Write(stream, config, tensors));
            writeOthers?.Invoke(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CheckpointException($"The checkpoint could not be saved to {folder}: {e.Message} An older one is intact.", e);
        }

        return config.Activation == ActivationFunction.Gelu ? null
            : "nanoGPT computes exact GELU where this model has its tanh approximation: logits differ in the third decimal.";
    }

    private static IEnumerable<string> Faults(GPTConfig config)
    {
        if (config.Activation is not (ActivationFunction.Gelu or ActivationFunction.GeluNew or ActivationFunction.GeluPytorchTanh))
            yield return $"its activation is {config.Activation}, nanoGPT has GELU";
        if (config.InnerSize != 4 * config.NEmbd) yield return $"n_inner is {config.InnerSize}, nanoGPT has 4 * n_embd";
        if (config.LayerNormEpsilon != 1e-5) yield return FormattableString.Invariant($"layer_norm_epsilon is {config.LayerNormEpsilon}, nanoGPT has 1e-05");
        if (!config.ScaleAttentionWeights) yield return "scale_attn_weights is false";
        if (config.ScaleAttentionByInverseLayerIndex) yield return "scale_attn_by_inverse_layer_idx is true";
        if (!config.TieWordEmbeddings) yield return "its output projection is not tied to the token embedding";
    }

    private static void Write(Stream stream, GPTConfig config, List<WeightTensor> tensors)
    {
        var zip = new StoredZipWriter(stream);
        var pickle = Describe(config, tensors);
        zip.Add(Root + "data.pkl", pickle.Length, entry => entry.Write(pickle));
        zip.Add(Root + "byteorder", 6, entry => entry.Write("little"u8));
        for (var i = 0; i < tensors.Count; i++)
        {
            var tensor = tensors[i];
            zip.Add($"{Root}data/{Key(i)}", tensor.ByteCount, entry => TensorStream.Write(entry, tensor, asInOut: false));
        }

        zip.Add(Root + "version", 2, entry => entry.Write("3\n"u8));
        zip.Finish();
    }

    private static byte[] Describe(GPTConfig config, List<WeightTensor> tensors)
    {
        var model = new Dictionary<string, object?>();
        for (var i = 0; i < tensors.Count; i++)
        {
            var tensor = tensors[i];
            long[] shape = tensor.Shape.Count == 2 ? [tensor.Rows, tensor.Columns] : [tensor.ElementCount];
            long[] strides = tensor.Shape.Count == 2 ? [tensor.Columns, 1] : [1];
            model.Add("transformer." + tensor.Name, new PickleTensor(new PickleStorage(tensor.Type, Key(i), tensor.ElementCount), 0, shape, strides));
        }

        model.Add("lm_head.weight", model["transformer.wte.weight"]); // one storage, two names: tied
        return new PickleWriter().Value(new Dictionary<string, object?>
        {
            ["model"] = model,
            ["optimizer"] = FreshOptimizer(config),
            ["model_args"] = new Dictionary<string, object?>
            {
                ["n_layer"] = config.NLayer, ["n_head"] = config.NHead, ["n_embd"] = config.NEmbd, ["block_size"] = config.BlockSize,
                ["bias"] = config.Bias, ["vocab_size"] = config.VocabSize, ["dropout"] = config.ResidualDropout,
            },
            ["iter_num"] = 0,
            ["best_val_loss"] = 1e9, // where nanoGPT begins
            ["config"] = new Dictionary<string, object?>(),
        }).Finish();
    }

    /// <summary>AdamW before its first step, with nanoGPT's defaults: <c>--init_from=resume</c> begins from it.</summary>
    private static Dictionary<string, object?> FreshOptimizer(GPTConfig config)
    {
        var order = NanoGptOptimizer.Order(config).ToList();
        var decayed = order.Count(parameter => parameter.Shape.Length >= 2);
        Dictionary<string, object?> Group(double weightDecay, int first, int count) => new()
        {
            ["lr"] = 6e-4, ["betas"] = new object?[] { 0.9, 0.95 }, ["eps"] = 1e-8, ["weight_decay"] = weightDecay,
            ["amsgrad"] = false, ["foreach"] = null, ["maximize"] = false, ["capturable"] = false, ["differentiable"] = false, ["fused"] = null,
            ["params"] = Enumerable.Range(first, count).Cast<object?>().ToList(),
        };

        return new Dictionary<string, object?>
        {
            ["state"] = new Dictionary<string, object?>(),
            ["param_groups"] = new List<object?> { Group(0.1, 0, decayed), Group(0, decayed, order.Count - decayed) },
        };
    }

    private static string Key(int index) => index.ToString(CultureInfo.InvariantCulture);
}
