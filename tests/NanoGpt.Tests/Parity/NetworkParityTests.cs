using NanoGpt.Formats;
using NanoGpt.Tokenization;
using TorchSharp;
using static TorchSharp.torch;

namespace NanoGpt.Tests.Parity;

/// <summary>
/// The torch network against Hugging Face's GPT-2 on every layout of the tiny model: promise 4.
/// </summary>
[Collection(nameof(TorchProcess))]
public sealed class NetworkParityTests
{
    // The inherent noise of float32 on these models is 7e-6 in logits, 1e-6 in losses, 3e-7 in gradients (tolerances.json).
    private const double LogitTolerance = 2e-5, LossTolerance = 1e-5, GradientTolerance = 1e-5;

    /// <summary>Each folder of weights, and the folder of its reference values.</summary>
    public static TheoryData<string, string> Folders => new()
    {
        { "prefixed-tied", "reference-base" }, { "plain-buffers", "reference-base" }, { "with-lm-head", "reference-base" },
        { "sharded", "reference-base" }, { "f16", "f16" }, { "bf16", "bf16" }, { "untied", "untied" },
    };

    [Theory]
    [MemberData(nameof(Folders))]
    public void Logits_and_losses_equal_Hugging_Face(string folder, string referenceFolder)
    {
        var reference = new ReferenceTensors("tiny-gpt2", referenceFolder, "reference.safetensors");
        using var gpt = Load(folder);
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();

        var names = new[] { "b1x1", "b2x7", "b3x16", "b2x64" }.Where(name => reference.Contains($"{name}.logits")).ToList();
        Assert.True(names.Count >= 3);
        foreach (var name in names)
        {
            var (idx, targets) = Batch(reference, name);
            var (logits, loss) = gpt.Forward(idx, targets);

            Close.Within(LogitTolerance, reference.Floats($"{name}.logits"), Values(logits), $"{folder} {name} logits");
            Close.Within(LossTolerance, reference.Floats($"{name}.loss"), Values(loss!), $"{folder} {name} loss");
        }
    }

    [Theory]
    [InlineData(true, true)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void The_network_has_the_parameters_that_the_config_asks_for(bool bias, bool tied)
    {
        var config = new GPTConfig { NLayer = 2, NHead = 2, NEmbd = 8, VocabSize = 11, BlockSize = 5, Bias = bias, TieWordEmbeddings = tied };
        using var network = new GPTModel(config);

        var found = network.named_parameters().Select(p => $"{p.name} [{string.Join(", ", p.parameter.shape)}]");

        Assert.Equal(GPTWeights.Expected(config).Select(e => $"{e.Name} [{string.Join(", ", e.Shape)}]").Order(), found.Order());
    }

    [Fact]
    public void A_network_made_inside_a_scope_outlives_it()
    {
        var config = new GPTConfig { NLayer = 1, NHead = 2, NEmbd = 8, VocabSize = 11, BlockSize = 5 };
        GPTModel network;
        using (NewDisposeScope()) network = new GPTModel(config);
        using (NewDisposeScope()) network.CropBlockSize(4);

        using (network)
        using (NewDisposeScope())
        {
            var idx = arange(4).reshape(1, 4);
            network.forward(idx, idx).Loss!.backward();
            Assert.All(network.named_parameters(), p => Assert.True(p.parameter.grad!.norm().item<float>() > 0, p.name));
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_network_that_is_converted_computes_the_same(bool bias)
    {
        // As when it moves to a GPU: every parameter is replaced.
        var config = new GPTConfig { NLayer = 2, NHead = 2, NEmbd = 8, VocabSize = 11, BlockSize = 5, Bias = bias, TieWordEmbeddings = false };
        using var network = new GPTModel(config);
        using var scope = NewDisposeScope();
        var idx = arange(5).reshape(1, 5);
        var loss = network.forward(idx, idx).Loss!.item<float>();

        network.to(float64);

        Assert.All(network.named_parameters(), p => Assert.Equal(float64, p.parameter.dtype));
        Assert.Equal(GPTWeights.Expected(config).Select(e => e.Name).Order(), network.named_parameters().Select(p => p.name).Order());
        Assert.Equal(loss, network.forward(idx, idx).Loss!.item<double>(), 1e-5); // float32's noise
    }

    [Fact]
    public void The_engine_sees_a_single_weight_that_was_changed_by_hand()
    {
        using var gpt = new GPT(new GPTConfig { NLayer = 1, NHead = 2, NEmbd = 64, VocabSize = 97, BlockSize = 16 }, new CharacterTokenizer("ab".EnumerateRunes()));
        using var generator = new Generator(gpt);
        gpt.Network.eval();
        var before = generator.Score([1, 2, 3]).Perplexity;
        Assert.Equal(before, generator.Score([1, 2, 3]).Perplexity);

        using (NewDisposeScope())
        using (no_grad()) gpt.Network.get_parameter("wpe.weight")!.select(0, 1).select(0, 40).add_(0.5);

        Assert.NotEqual(before, generator.Score([1, 2, 3]).Perplexity);
    }

    [Theory]
    [MemberData(nameof(Folders))]
    public void Without_targets_only_the_last_position_is_computed(string folder, string referenceFolder)
    {
        var reference = new ReferenceTensors("tiny-gpt2", referenceFolder, "reference.safetensors");
        using var gpt = Load(folder);
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var (idx, _) = Batch(reference, "b2x7");

        var (logits, loss) = gpt.Forward(idx);

        Assert.Null(loss);
        Assert.Equal([2, 1, gpt.Config.VocabSize], logits.shape);
        var all = reference.Floats("b2x7.logits");
        var V = gpt.Config.VocabSize;
        Close.Within(LogitTolerance, [.. all[(6 * V)..(7 * V)], .. all[(13 * V)..(14 * V)]], Values(logits), "last logits");
    }

    [Theory]
    [InlineData("prefixed-tied", "reference-base", "b2x7")]
    [InlineData("prefixed-tied", "reference-base", "b3x16")]
    [InlineData("untied", "untied", "b2x7")]
    public void Hidden_states_equal_Hugging_Face(string folder, string referenceFolder, string name)
    {
        var reference = new ReferenceTensors("tiny-gpt2", referenceFolder, "reference.safetensors");
        using var gpt = Load(folder);
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var (idx, _) = Batch(reference, name);

        var x = gpt.Network.Embed(idx);
        Close.Within(LogitTolerance, reference.Floats($"{name}.hidden.embed"), Values(x), "embeddings");
        for (var layer = 0; layer < gpt.Config.NLayer; layer++)
        {
            x = gpt.Network.Blocks[layer].forward(x);
            Close.Within(LogitTolerance, reference.Floats($"{name}.hidden.block{layer}"), Values(x), $"block {layer}");
        }
    }

    [Theory]
    [MemberData(nameof(Folders))]
    public void Gradients_equal_Hugging_Face(string folder, string referenceFolder)
    {
        var reference = new ReferenceTensors("tiny-gpt2", referenceFolder, "reference.safetensors");
        using var gpt = Load(folder);
        using var scope = NewDisposeScope();
        var (idx, targets) = Batch(reference, "b3x16");

        gpt.Forward(idx, targets).Loss!.backward();

        var squares = 0.0;
        foreach (var (name, parameter) in gpt.Network.named_parameters())
        {
            var gradient = parameter.grad!;
            squares += gradient.square().sum().item<float>();
            if (GPTWeights.IsConv1D(name)) gradient = gradient.t(); // [out, in] -> [in, out]
            var referenceName = name == "lm_head.weight" ? $"grad.{name}" : $"grad.transformer.{name}";
            Close.Within(GradientTolerance, reference.Floats(referenceName), Values(gradient), referenceName);
        }

        Close.Within(GradientTolerance, reference.Floats("grad_norm"), [(float)Math.Sqrt(squares)], "gradient norm");
    }

    [Fact]
    public void The_GPT2_vocabulary_gives_the_same_logits_and_gradients()
    {
        var reference = new ReferenceTensors("tiny-gpt2", "vocab50257", "reference.safetensors");
        using var gpt = Load("vocab50257");
        using var scope = NewDisposeScope();
        var (idx, targets) = Batch(reference, "b1x12");

        var (logits, loss) = gpt.Forward(idx, targets);
        loss!.backward();

        Close.Within(LogitTolerance, reference.Floats("b1x12.logits_last"), Values(logits[0, 11]), "last logits");
        Close.Within(LogitTolerance, reference.Floats("b1x12.logits_first_1000"), Values(logits.narrow(2, 0, 1000)), "first logits");
        Close.Within(LogitTolerance, reference.Floats("b1x12.logsumexp"), Values(logits.logsumexp(-1)), "logsumexp");
        Close.Within(LossTolerance, reference.Floats("b1x12.loss"), Values(loss), "loss");

        var rows = tensor(reference.Longs("grad_wte_rows.index"));
        var gradient = gpt.Network.get_parameter("wte.weight")!.grad!;
        Close.Within(GradientTolerance, reference.Floats("grad_wte_rows.values"), Values(gradient.index_select(0, rows)), "rows of wte's gradient");
        Close.Within(GradientTolerance, reference.Floats("grad_wte_norm"), Values(gradient.to(float64).norm().to(float32)), "norm of wte's gradient");
    }

    [Fact]
    public void Left_padding_changes_nothing_where_the_mask_is_one()
    {
        var reference = new ReferenceTensors("tiny-gpt2", "reference-base", "reference.safetensors");
        using var gpt = Load("prefixed-tied");
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var (ids, mask, logits) = (reference.Longs("padded.input_ids"), reference.Longs("padded.attention_mask"), reference.Floats("padded.logits"));
        int T = 8, V = gpt.Config.VocabSize;

        for (var row = 0; row < 3; row++)
        {
            var start = Array.IndexOf(mask, 1, row * T, T) - row * T;
            var idx = tensor(ids[(row * T + start)..((row + 1) * T)]).unsqueeze(0);
            var actual = gpt.Forward(idx, zeros_like(idx)).Logits;
            Close.Within(LogitTolerance, logits.AsSpan()[((row * T + start) * V)..((row + 1) * T * V)], Values(actual), $"row {row}");
        }
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
    public void Each_option_of_the_config_is_computed_as_Hugging_Face_does(string option)
    {
        var reference = new ReferenceTensors("tiny-gpt2", "reference-base", "variants.safetensors");
        using var gpt = LoadAs(config => Variant(config, option));
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var idx = tensor(reference.Longs("input_ids")).reshape(reference.Shape("input_ids"));

        var logits = gpt.Forward(idx, zeros_like(idx)).Logits;

        Close.Within(LogitTolerance, reference.Floats($"{option}.logits"), Values(logits), option);
    }

    [Fact]
    public void The_other_GELU_would_be_noticed()
    {
        var reference = new ReferenceTensors("tiny-gpt2", "reference-base", "reference.safetensors");
        using var gpt = LoadAs(config => config with { Activation = ActivationFunction.Gelu });
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var (idx, targets) = Batch(reference, "b2x7");

        var distance = Close.Distance(reference.Floats("b2x7.logits"), Values(gpt.Forward(idx, targets).Logits));

        Assert.True(distance > 50 * LogitTolerance, $"only {distance:E1} apart"); // 1.7e-3 here, 3e-3 at worst
    }

    private static GPTConfig Variant(GPTConfig config, string option) => option switch
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
    };

    private static GPT Load(string folder) =>
        GPT.FromPretrained(Vectors.Path("tiny-gpt2", folder), new() { Dropout = 0 });

    /// <summary>The base weights under another config, by way of a config.json of its own.</summary>
    private static GPT LoadAs(Func<GPTConfig, GPTConfig> change)
    {
        using var weights = ModelFolder.Open(Vectors.Path("tiny-gpt2", "prefixed-tied"));
        using var changed = new GPTWeights(change(weights.Config), weights.Tensors);
        using var folder = new TemporaryFolder();
        ModelFolder.Save(folder.Path, changed.Config, changed);
        return GPT.FromPretrained(folder.Path, new() { Dropout = 0 });
    }

    private static (Tensor Idx, Tensor Targets) Batch(ReferenceTensors reference, string name)
    {
        var shape = reference.Shape($"{name}.input_ids");
        return (tensor(reference.Longs($"{name}.input_ids")).reshape(shape), tensor(reference.Longs($"{name}.targets")).reshape(shape));
    }

    private static float[] Values(Tensor tensor) => tensor.detach().contiguous().data<float>().ToArray();
}
