using System.Text;
using NanoGpt.Formats;

namespace NanoGpt.Tests.Formats;

public sealed class ConfigJsonTests
{
    public static TheoryData<string, string> Cases => Verdicts.Read("config", "file");

    [Theory]
    [MemberData(nameof(Cases))]
    public void Every_config_with_the_weights_beside_it_gets_its_verdict(string name, string must)
    {
        using var folder = new TemporaryFolder();
        File.Copy(Vectors.Path("bad", "config", name), folder.File("config.json"));
        File.Copy(Vectors.Path("bad", "config", "weights.safetensors"), folder.File("model.safetensors"));

        var refusal = Verdicts.Check(must, () => ModelFolder.Open(folder.Path).Dispose());

        if (refusal is not null) Assert.Contains("config.json", refusal.Message);
    }

    [Fact]
    public void Options_that_change_the_model_arrive()
    {
        GPTConfig Read(string name) => ConfigJson.ReadFile(Vectors.Path("bad", "config", name));
        var ok = Read("ok.json");

        Assert.Equal((11, 8, 1, 2, 8), (ok.VocabSize, ok.BlockSize, ok.NLayer, ok.NHead, ok.NEmbd));
        Assert.Equal(ok with { ScaleAttentionByInverseLayerIndex = true }, Read("scale-attn-by-inverse-layer-idx.json"));
        Assert.Equal(ok with { ScaleAttentionWeights = false }, Read("scale-attn-weights-false.json"));
        Assert.Equal(ok with { ReorderAndUpcastAttention = true }, Read("reorder-and-upcast.json"));
        Assert.Equal(ok with { Activation = ActivationFunction.Gelu }, Read("activation-gelu.json"));
        Assert.Equal(ok with { Activation = ActivationFunction.Relu }, Read("activation-relu.json"));
        Assert.Equal(ok with { NInner = 32 }, Read("ok-n-inner.json"));
        Assert.Equal(ok, Read("ok-n-ctx.json"));
        Assert.Equal(ok with { BosTokenId = 10, EosTokenId = 10 }, Read("ok-unknown-keys.json"));
        Assert.False(Read("untied-without-lm-head.json").TieWordEmbeddings);
    }

    [Fact]
    public void Absent_keys_take_the_defaults_of_transformers()
    {
        var config = Read("{}");

        var expected = GPTConfig.Gpt2 with { EmbeddingDropout = 0.1, AttentionDropout = 0.1, ResidualDropout = 0.1 };
        Assert.Equal(expected, config);
    }

    [Theory]
    [InlineData("{\"hidden_size\": 8, \"n_head\": 2}", 8)]
    [InlineData("{\"hidden_size\": 8, \"n_embd\": 8, \"n_head\": 2}", 8)]
    [InlineData("\ufeff{\"n_embd\": 12}", 12)]
    [InlineData("{\"n_embd\": 10, \"n_embd\": 12}", 12)] // Python keeps the last
    public void General_names_and_editors_marks_are_understood(string json, int width) => Assert.Equal(width, Read(json).NEmbd);

    [Theory]
    [InlineData("{\"hidden_size\": 8, \"n_embd\": 16}", "mean the same")]
    [InlineData("{\"n_layer\": true}", "n_layer 'True'")]
    [InlineData("{\"n_layer\": 12.0}", "n_layer '12.0'")]
    [InlineData("{\"n_layer\": 1e1}", "n_layer")]
    [InlineData("{\"bias\": 1}", "bias '1', must be true or false")]
    [InlineData("{\"quantization_config\": {\"bits\": 4}}", "quantization_config")]
    [InlineData("{\"pruned_heads\": {\"0\": [1]}}", "pruned_heads")]
    [InlineData("{\"is_encoder_decoder\": true}", "is_encoder_decoder")]
    [InlineData("{\"layer_norm_epsilon\": 1e999}", "layer_norm_epsilon")]
    [InlineData("{\"activation_function\": \"mish\"}", "gelu_pytorch_tanh")]
    [InlineData("{\"n_embd\": \"\\ud800\"}", "surrogate")]
    [InlineData("{} {}", "config.json")]
    public void What_cannot_be_honoured_is_refused(string json, string expected) =>
        Assert.Contains(expected, Assert.Throws<ModelFormatException>(() => Read(json)).Message);

    [Theory]
    [InlineData("prefixed-tied")]
    [InlineData("untied")]
    [InlineData("f16")]
    [InlineData("bf16")]
    [InlineData("vocab50257")]
    public void The_written_text_is_that_of_transformers_but_for_its_version(string name)
    {
        var path = Vectors.Path("tiny-gpt2", name, "config.json");
        var type = name switch { "f16" => TensorType.F16, "bf16" => TensorType.BF16, _ => TensorType.F32 };
        var config = ConfigJson.ReadFile(path);

        Assert.Equal(WithoutVersion(File.ReadAllText(path)), ConfigJson.Write(config, type));
        Assert.Equal(
            WithoutVersion(File.ReadAllText(Vectors.Path("tiny-gpt2", name, "generation_config.json"))),
            ConfigJson.WriteGenerationConfig(config));
    }

    [Fact]
    public void Every_value_survives_writing_and_reading()
    {
        var config = new GPTConfig
        {
            VocabSize = 65, BlockSize = 33, NLayer = 3, NHead = 5, NEmbd = 35, NInner = 7, Activation = ActivationFunction.Silu,
            LayerNormEpsilon = 1.0 / 3, EmbeddingDropout = 0.25, AttentionDropout = 1e-300, ResidualDropout = 0.1 + 0.2, Bias = false,
            ScaleAttentionWeights = false, ScaleAttentionByInverseLayerIndex = true, ReorderAndUpcastAttention = true,
            TieWordEmbeddings = false, InitializerRange = 5e-324, BosTokenId = null, EosTokenId = 3,
        };

        foreach (var activation in Enum.GetValues<ActivationFunction>())
        {
            var written = config with { Activation = activation };
            Assert.Equal(written, Read(ConfigJson.Write(written, TensorType.F32)));
        }
    }

    private static GPTConfig Read(string json) => ConfigJson.Read(Encoding.UTF8.GetBytes(json), "config.json");

    private static string WithoutVersion(string json)
    {
        var lines = json.Split('\n').Where(line => !line.Contains("transformers_version")).ToList();
        return string.Join('\n', lines).Replace(",\n}", "\n}");
    }
}
