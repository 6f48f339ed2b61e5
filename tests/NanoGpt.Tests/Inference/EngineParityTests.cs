using System.Text.Json;
using NanoGpt.Inference;

namespace NanoGpt.Tests.Inference;

/// <summary>The engine against transformers' and nanoGPT's own outputs.</summary>
public sealed class EngineParityTests
{
    // Float32 against float64 of the same model differs by up to 7e-6 (tolerances.json); other orders of summation are as
    // far apart. The wrong GELU is 1.6e-3 away.
    private const float Tolerance = 2e-5f;

    public static TheoryData<string, string> FoldersAndKernels()
    {
        var data = new TheoryData<string, string>();
        foreach (var (folder, _) in TinyModels.All)
        {
            foreach (var kernels in PanelKernels.Supported) data.Add(folder, kernels.Rows.Name);
        }

        return data;
    }

    public static TheoryData<string> GenerateFolders() => ["reference-base", "f16", "bf16", "untied", "vocab50257"];

    [Theory]
    [MemberData(nameof(FoldersAndKernels))]
    public void Logits_and_hidden_states_equal_the_reference(string folder, string kernels)
    {
        using var weights = TinyModels.Open(folder);
        using var model = InferenceModel.Create(weights, kernels: Named(kernels));
        using var reference = new TensorFile(Vectors.Path("tiny-gpt2", TinyModels.All.Single(entry => entry.Folder == folder).Reference, "reference.safetensors"));

        var cases = reference.Tensors.Keys.Where(name => name.EndsWith(".input_ids", StringComparison.Ordinal) && name[0] == 'b')
            .Select(name => name[..name.IndexOf('.', StringComparison.Ordinal)]).ToList();
        Assert.NotEmpty(cases);
        foreach (var name in cases) CheckCase(model, reference, name);
    }

    [Theory]
    [InlineData("scale_attn_by_inverse_layer_idx")]
    [InlineData("scale_attn_weights_false")]
    [InlineData("reorder_and_upcast_attn")]
    [InlineData("activation_gelu")]
    [InlineData("activation_relu")]
    [InlineData("activation_silu")]
    [InlineData("activation_tanh")]
    [InlineData("activation_gelu_pytorch_tanh")]
    [InlineData("layer_norm_epsilon_1e-3")]
    public void Each_config_option_has_its_effect(string option)
    {
        using var weights = TinyModels.Open("prefixed-tied", config => option switch
        {
            "scale_attn_by_inverse_layer_idx" => config with { ScaleAttentionByInverseLayerIndex = true },
            "scale_attn_weights_false" => config with { ScaleAttentionWeights = false },
            "reorder_and_upcast_attn" => config with { ReorderAndUpcastAttention = true },
            "activation_gelu" => config with { Activation = ActivationFunction.Gelu },
            "activation_relu" => config with { Activation = ActivationFunction.Relu },
            "activation_silu" => config with { Activation = ActivationFunction.Silu },
            "activation_tanh" => config with { Activation = ActivationFunction.Tanh },
            "activation_gelu_pytorch_tanh" => config with { Activation = ActivationFunction.GeluPytorchTanh },
            _ => config with { LayerNormEpsilon = 1e-3 },
        });
        using var reference = new TensorFile(Vectors.Path("tiny-gpt2", "reference-base", "variants.safetensors"));

        foreach (var kernels in PanelKernels.Supported)
        {
            using var model = InferenceModel.Create(weights, kernels: kernels);
            var ids = reference.Ids("input_ids").Chunk((int)reference.Shape("input_ids")[1]).ToArray();
            AssertClose(reference.Floats(option + ".logits"), ids.SelectMany(row => AllLogits(model, row)).ToArray(), option);
        }
    }

    [Theory]
    [MemberData(nameof(GenerateFolders))]
    public void Greedy_lists_are_identical(string folder)
    {
        using var weights = TinyModels.Open(folder == "reference-base" ? "prefixed-tied" : folder);
        using var model = InferenceModel.Create(weights);
        using var json = JsonDocument.Parse(File.ReadAllText(Vectors.Path("tiny-gpt2", folder, "generate.json")));

        foreach (var list in json.RootElement.EnumerateObject())
        {
            Assert.Contains(list.Name, new[] { "greedy", "nanogpt_crop_greedy" });
            foreach (var entry in list.Value.EnumerateArray())
            {
                var end = entry.TryGetProperty("eos_token_id", out var eos) && eos.ValueKind == JsonValueKind.Number ? eos.GetInt32() : -1;
                var prompt = Ids(entry.GetProperty("prompt"));
                Assert.Equal(Ids(entry.GetProperty("output")), Greedy(model, prompt, entry.GetProperty("max_new_tokens").GetInt32(), end));
            }
        }
    }

    [Fact]
    public void BFloat16_storage_changes_nothing_where_the_weights_are_bfloat16_already()
    {
        using var weights = TinyModels.Open("bf16");
        var ids = Enumerable.Range(0, 60).ToArray();
        foreach (var kernels in PanelKernels.Supported)
        {
            using var exact = InferenceModel.Create(weights, Dtype.Float32, kernels);
            using var half = InferenceModel.Create(weights, Dtype.BFloat16, kernels);
            Assert.Equal(AllLogits(exact, ids), AllLogits(half, ids));
        }
    }

    [Fact]
    public void Int8_and_bfloat16_stay_near_the_reference()
    {
        using var weights = TinyModels.Open("prefixed-tied");
        using var exact = InferenceModel.Create(weights);
        var ids = Enumerable.Range(100, 64).ToArray();
        var logits = AllLogits(exact, ids);
        var deviation = Math.Sqrt(logits.Average(value => (double)value * value));
        foreach (var kernels in PanelKernels.Supported)
        {
            // bfloat16 has 8 bits of precision, int8 rows 7: errors of some 2^-9 and 2^-8 of the logits' spread.
            foreach (var (precision, tolerance) in new[] { (Dtype.BFloat16, 0.01), (Dtype.Int8, 0.02) })
            {
                using var model = InferenceModel.Create(weights, precision, kernels);
                var error = Math.Sqrt(logits.Zip(AllLogits(model, ids), (a, b) => (double)(a - b) * (a - b)).Average());
                Assert.InRange(error, deviation * 1e-4, deviation * tolerance);
            }
        }
    }

    internal static List<int> Greedy(InferenceModel model, int[] prompt, int maxNewTokens, int end = -1)
    {
        using var session = model.CreateSession();
        List<int> ids = [.. prompt];
        var logits = session.Prefill(prompt);
        for (var i = 0; i < maxNewTokens; i++)
        {
            var best = IndexOfLargest(logits);
            ids.Add(best);
            if (best == end) break;
            if (i < maxNewTokens - 1) logits = session.Decode(best);
        }

        return ids;
    }

    internal static float[] AllLogits(InferenceModel model, int[] ids)
    {
        var result = new float[ids.Length * model.Config.VocabSize];
        using var cache = new KeyValueCache(model.Config, model.Kernels.PanelWidth);
        model.Run([new ForwardRequest(cache, ids, 0, (position, logits) => logits.CopyTo(result.AsSpan(position * logits.Length)))]);
        return result;
    }

    private static int IndexOfLargest(ReadOnlySpan<float> logits)
    {
        var best = 0;
        for (var i = 1; i < logits.Length; i++)
        {
            if (logits[i] > logits[best]) best = i;
        }

        return best;
    }

    internal static PanelKernels Named(string name) => PanelKernels.Supported.Single(kernels => kernels.Rows.Name == name);

    private static void CheckCase(InferenceModel model, TensorFile reference, string name)
    {
        var shape = reference.Shape(name + ".input_ids");
        var (batch, length, width) = ((int)shape[0], (int)shape[1], model.Config.NEmbd);
        var ids = reference.Ids(name + ".input_ids");
        var logits = new float[batch * length][];
        var hidden = Enumerable.Range(0, model.Config.NLayer + 2).Select(_ => new float[batch * length * width]).ToArray();

        // All rows of the batch in one pass, as the reference was computed.
        var caches = Enumerable.Range(0, batch).Select(_ => new KeyValueCache(model.Config, model.Kernels.PanelWidth)).ToArray();
        model.Run(Enumerable.Range(0, batch).Select(b => new ForwardRequest(
            caches[b], ids.AsMemory(b * length, length), 0,
            (position, values) => logits[b * length + position] = values.ToArray(),
            (stage, position, state) => state.CopyTo(hidden[stage].AsSpan((b * length + position) * width)))).ToList());
        foreach (var cache in caches) cache.Dispose();

        if (reference.Tensors.ContainsKey(name + ".logits"))
        {
            AssertClose(reference.Floats(name + ".logits"), logits.SelectMany(row => row).ToArray(), name + ".logits");
        }
        else
        {
            AssertClose(reference.Floats(name + ".logits_last"), logits[^1], name + ".logits_last");
            AssertClose(reference.Floats(name + ".logits_first_1000"), logits.SelectMany(row => row.Take(1000)).ToArray(), name);
        }

        for (var stage = 0; stage < hidden.Length; stage++)
        {
            var stageName = stage == 0 ? "embed" : stage <= model.Config.NLayer ? $"block{stage - 1}" : "ln_f";
            if (reference.Tensors.ContainsKey($"{name}.hidden.{stageName}"))
                AssertClose(reference.Floats($"{name}.hidden.{stageName}"), hidden[stage], $"{name}.hidden.{stageName}");
        }
    }

    private static int[] Ids(JsonElement array) => array.EnumerateArray().Select(id => id.GetInt32()).ToArray();

    private static void AssertClose(float[] expected, float[] actual, string what)
    {
        Assert.Equal(expected.Length, actual.Length);
        var worst = expected.Zip(actual, (a, b) => MathF.Abs(a - b)).Max();
        Assert.True(worst <= Tolerance, $"{what}: off by {worst}, more than {Tolerance}.");
    }
}
