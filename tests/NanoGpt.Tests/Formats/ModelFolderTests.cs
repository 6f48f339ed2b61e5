using System.Text.Json;
using NanoGpt.Formats;

namespace NanoGpt.Tests.Formats;

public sealed unsafe class ModelFolderTests
{
    private static readonly string[] BaseFolders = ["prefixed-tied", "plain-buffers", "with-lm-head", "sharded"];
    private static readonly string[] AllFolders = [.. BaseFolders, "f16", "bf16", "untied", "vocab50257"];

    public static TheoryData<string, string> Cases => Verdicts.Read("model-dir", "dir");

    public static TheoryData<string> Folders => [.. AllFolders];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Every_folder_gets_its_verdict(string name, string must)
    {
        var refusal = Verdicts.Check(must, () => ModelFolder.Open(Vectors.Path("bad", "model-dir", name)).Dispose());

        if (refusal is not null) Assert.Contains(name, refusal.Message);
    }

    [Theory]
    [InlineData("missing-tensor", "Missing (1): 'h.0.mlp.c_proj.bias'")]
    [InlineData("extra-block", "Unexpected (12): 'h.1.attn.c_attn.bias'")]
    [InlineData("shape-transposed", "has shape [24, 8], needed is [8, 24]")]
    [InlineData("dtype-i64", "has type I64")]
    [InlineData("both-prefixes", "twice")]
    [InlineData("lfs-pointer", "git lfs pull")]
    [InlineData("index-path-traversal", "'../ok/model.safetensors'")]
    [InlineData("index-missing-shard", "not there")]
    [InlineData("index-tensor-not-in-shard", "Not in the shard that it names (")]
    public void A_refusal_says_what_is_wrong(string name, string expected)
    {
        var refusal = Assert.Throws<ModelFormatException>(() => ModelFolder.Open(Vectors.Path("bad", "model-dir", name)));

        Assert.Contains(expected, refusal.Message);
    }

    [Fact]
    public void Tensors_that_gpt2_does_not_have_are_passed_over_on_request_only()
    {
        var folder = Vectors.Path("bad", "model-dir", "extra-tensor");

        Assert.Throws<ModelFormatException>(() => ModelFolder.Open(folder));
        using var weights = ModelFolder.Open(folder, ignoreUnexpected: true);
        Assert.Equal(GPTWeights.Expected(weights.Config).Select(e => e.Name), weights.Tensors.Keys);
        Assert.NotEmpty(weights.Ignored);

        Assert.Contains("IgnoreUnexpected", Assert.Throws<ModelFormatException>(() => GPT.FromPretrained(folder)).Message);
        using var gpt = GPT.FromPretrained(folder, new PretrainedOptions { IgnoreUnexpected = true });
        Assert.Equal(weights.Config, gpt.Config);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Weights_of_torch_save_hold_the_same_numbers_whole_or_in_shards(int shards)
    {
        using var folder = new TemporaryFolder();
        TorchStateWriter.WriteFolder(Vectors.Path("tiny-gpt2", "prefixed-tied"), folder.File("torch"), shards);

        using var expected = ModelFolder.Open(Vectors.Path("tiny-gpt2", "prefixed-tied"));
        using var weights = ModelFolder.Open(folder.File("torch"));
        Assert.Equal(expected.Tensors.Keys, weights.Tensors.Keys);
        foreach (var tensor in expected.Tensors.Values)
            for (var i = 0L; i < tensor.ElementCount; i++) Assert.Equal(tensor.ReadElement(i), weights[tensor.Name].ReadElement(i));
    }

    [Fact]
    public void All_layouts_of_one_model_hold_the_same_numbers()
    {
        var expected = Numbers("prefixed-tied");
        Assert.Equal(28, expected.Count);

        foreach (var folder in BaseFolders) Assert.Equal(expected, Numbers(folder));
    }

    [Fact]
    public void Accepted_folders_hold_the_numbers_of_the_right_one()
    {
        var expected = Numbers(Vectors.Path("bad", "model-dir", "ok"));

        foreach (var name in new[] { "ok-f64", "ok-mixed-prefix-buffers", "ok-sharded", "ok-sharded-no-metadata" })
            Assert.Equal(expected, Numbers(Vectors.Path("bad", "model-dir", name)));
    }

    [Fact]
    public void Matrices_arrive_out_in_and_equal_the_nanogpt_layout_of_the_same_weights()
    {
        using var file = SafetensorsFile.Open(Vectors.Path("train", "init-bias.hf.safetensors"));
        using var nanoGpt = SafetensorsFile.Open(Vectors.Path("train", "init-bias.nanogpt.safetensors"));
        var config = new GPTConfig { NLayer = 2, NHead = 2, NEmbd = 32, BlockSize = 32, VocabSize = 65 };
        StoredTensor Stored(SafetensorsFile f, TensorInfo t) => new(t.Name, t.Type, t.Shape, f.Data(t), file: f.File);

        using var fromConv1D = new StateDict(config, "hf", "config", isConv1D: true).Bind(file.Tensors.Values.Select(t => Stored(file, t)), null);
        using var fromLinear = new StateDict(config, "nanogpt", "config", isConv1D: false).Bind(nanoGpt.Tensors.Values.Select(t => Stored(nanoGpt, t)), null);

        Assert.Equal(Numbers(fromLinear), Numbers(fromConv1D));
    }

    [Fact]
    public void Weights_point_into_the_mapped_file()
    {
        using var probe = SafetensorsFile.Open(Vectors.Path("tiny-gpt2", "vocab50257", "model.safetensors"));
        var before = GC.GetAllocatedBytesForCurrentThread();
        using var weights = ModelFolder.Open(Vectors.Path("tiny-gpt2", "vocab50257"));
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.InRange(allocated, 1, probe.File.Length / 10);
    }

    [Fact]
    public void Reading_weights_whose_owner_is_disposed_is_an_error_and_no_crash()
    {
        var weights = ModelFolder.Open(Vectors.Path("tiny-gpt2", "untied"));
        var tensor = weights["wpe.weight"];
        weights.Dispose();

        Assert.Throws<ObjectDisposedException>(() => ToArray(tensor));
    }

    [Fact]
    public void Weights_can_be_read_by_several_threads_and_after_their_release()
    {
        using var weights = ModelFolder.Open(Vectors.Path("tiny-gpt2", "untied"));
        var expected = Numbers(weights);

        Parallel.For(0, 16, _ =>
        {
            foreach (var tensor in weights.Tensors.Values)
            {
                Assert.Equal(expected[tensor.Name], ToArray(tensor));
                tensor.Release();
            }
        });
    }

    [Theory]
    [MemberData(nameof(Folders))]
    public void Saving_and_opening_is_bit_identical(string name)
    {
        using var folder = new TemporaryFolder();
        using var weights = ModelFolder.Open(Vectors.Path("tiny-gpt2", name));

        ModelFolder.Save(folder.Path, weights.Config, weights);
        using var again = ModelFolder.Open(folder.Path);
        Assert.Equal(weights.Config, again.Config);
        foreach (var tensor in weights.Tensors.Values)
        {
            Assert.Equal(tensor.Type, again[tensor.Name].Type);
            Assert.Equal(new Span<byte>(tensor.Data, (int)tensor.ByteCount), new Span<byte>(again[tensor.Name].Data, (int)tensor.ByteCount));
        }

        Assert.Equal(["config.json", "generation_config.json", "model.safetensors"], Names(folder.Path));
    }

    [Theory]
    [InlineData("prefixed-tied")]
    [InlineData("plain-buffers")]
    [InlineData("sharded")]
    public void A_saved_model_is_the_file_that_transformers_writes(string name)
    {
        using var folder = new TemporaryFolder();
        using var weights = ModelFolder.Open(Vectors.Path("tiny-gpt2", name));

        ModelFolder.Save(folder.Path, weights.Config, weights);

        Assert.Equal(File.ReadAllBytes(Vectors.Path("tiny-gpt2", "prefixed-tied", "model.safetensors")), File.ReadAllBytes(folder.File("model.safetensors")));
    }

    [Theory]
    [InlineData(TensorType.F32)]
    [InlineData(TensorType.F16)]
    [InlineData(TensorType.F64)]
    internal void Weights_in_the_linear_layout_are_saved_transposed(TensorType type)
    {
        using var folder = new TemporaryFolder();
        var config = new GPTConfig { NLayer = 1, NHead = 3, NEmbd = 39, NInner = 50, BlockSize = 7, VocabSize = 41, TieWordEmbeddings = false };
        using var weights = RandomWeights(config, type);

        ModelFolder.Save(folder.Path, config, weights, maxShardSize: 4000);
        using var again = ModelFolder.Open(folder.Path);

        Assert.True(File.Exists(folder.File("model.safetensors.index.json")));
        Assert.True(again["h.0.mlp.c_fc.weight"].IsInOut);
        Assert.Equal(Numbers(weights), Numbers(again));
    }

    [Fact]
    public void A_model_without_biases_is_saved_with_zeros_and_read_without_them()
    {
        using var folder = new TemporaryFolder();
        var config = new GPTConfig { NLayer = 2, NHead = 1, NEmbd = 4, BlockSize = 7, VocabSize = 11, Bias = false, Activation = ActivationFunction.Gelu };
        using var weights = RandomWeights(config, TensorType.F32);

        ModelFolder.Save(folder.Path, config, weights);

        using var file = SafetensorsFile.Open(folder.File("model.safetensors"));
        Assert.Equal(new byte[16], file.Bytes("transformer.h.1.ln_2.bias").ToArray());
        using var again = ModelFolder.Open(folder.Path);
        Assert.False(again.Config.Bias);
        Assert.Equal(Numbers(weights), Numbers(again));
    }

    [Fact]
    public void A_bias_that_is_not_zero_contradicts_bias_false()
    {
        using var folder = new TemporaryFolder();
        var config = new GPTConfig { NLayer = 1, NHead = 1, NEmbd = 4, BlockSize = 7, VocabSize = 11 };
        using var weights = RandomWeights(config, TensorType.F32);
        ModelFolder.Save(folder.Path, config, weights);
        File.WriteAllText(folder.File("config.json"), ConfigJson.Write(config with { Bias = false }, TensorType.F32));

        Assert.Contains("not zero", Assert.Throws<ModelFormatException>(() => ModelFolder.Open(folder.Path)).Message);
    }

    [Fact]
    public void A_tied_output_projection_must_be_the_embedding()
    {
        using var folder = new TemporaryFolder();
        var config = new GPTConfig { NLayer = 1, NHead = 1, NEmbd = 4, BlockSize = 7, VocabSize = 11, TieWordEmbeddings = false };
        using var weights = RandomWeights(config, TensorType.F32);
        ModelFolder.Save(folder.Path, config, weights);
        File.WriteAllText(folder.File("config.json"), ConfigJson.Write(config with { TieWordEmbeddings = true }, TensorType.F32));

        Assert.Contains("tie_word_embeddings", Assert.Throws<ModelFormatException>(() => ModelFolder.Open(folder.Path)).Message);
    }

    [Fact]
    public void Shards_are_written_as_transformers_does_and_replaced_by_a_single_file()
    {
        using var folder = new TemporaryFolder();
        using var weights = ModelFolder.Open(Vectors.Path("tiny-gpt2", "sharded"));

        ModelFolder.Save(folder.Path, weights.Config, weights, maxShardSize: 100_000);
        Assert.Equal(
            ["config.json", "generation_config.json", "model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors",
             "model-00003-of-00003.safetensors", "model.safetensors.index.json"],
            Names(folder.Path));
        using (var index = JsonDocument.Parse(File.ReadAllBytes(folder.File("model.safetensors.index.json"))))
            Assert.Equal(238080, index.RootElement.GetProperty("metadata").GetProperty("total_size").GetInt64());
        using (var again = ModelFolder.Open(folder.Path)) Assert.Equal(Numbers(weights), Numbers(again));

        File.WriteAllText(folder.File("README.md"), "mine");
        ModelFolder.Save(folder.Path, weights.Config, weights);
        Assert.Equal(["README.md", "config.json", "generation_config.json", "model.safetensors"], Names(folder.Path));
    }

    [Fact]
    public void A_folder_can_be_saved_over_itself_while_it_is_open()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows does not replace a file that is mapped.");
        using var folder = new TemporaryFolder();
        foreach (var file in Directory.GetFiles(Vectors.Path("tiny-gpt2", "untied"))) File.Copy(file, folder.File(Path.GetFileName(file)));
        using var weights = ModelFolder.Open(folder.Path);
        var expected = Numbers(weights);

        ModelFolder.Save(folder.Path, weights.Config, weights);

        Assert.Equal(expected, Numbers(weights));
        Assert.Equal(expected, Numbers(folder.Path));
    }

    [Fact]
    public void A_save_that_fails_leaves_the_old_model()
    {
        using var folder = new TemporaryFolder();
        using var weights = ModelFolder.Open(Vectors.Path("tiny-gpt2", "untied"));
        ModelFolder.Save(folder.Path, weights.Config, weights);
        var before = Names(folder.Path).ToDictionary(name => name, name => File.ReadAllBytes(folder.File(name)));
        using var other = ModelFolder.Open(Vectors.Path("tiny-gpt2", "f16"));

        Assert.Throws<CheckpointException>(() =>
            ModelFolder.Save(folder.Path, other.Config, other, writeOthers: _ => throw new IOException("disk full")));

        Assert.Equal(before, Names(folder.Path).ToDictionary(name => name, name => File.ReadAllBytes(folder.File(name))));
        Assert.Empty(Directory.GetDirectories(folder.Path));
    }

    /// <summary>Weights in nn.Linear's layout, in memory that is the owner's.</summary>
    private static GPTWeights RandomWeights(GPTConfig config, TensorType type)
    {
        var random = new Random(1);
        var tensors = new Dictionary<string, WeightTensor>();
        foreach (var (name, shape) in GPTWeights.Expected(config))
        {
            var count = shape.Aggregate(1L, (product, size) => product * size);
            var bytes = GC.AllocateArray<byte>((int)(count * type.Bits() / 8), pinned: true);
            random.NextBytes(bytes);
            tensors.Add(name, new WeightTensor(name, type, shape, isInOut: false, (byte*)System.Runtime.CompilerServices.Unsafe.AsPointer(ref bytes[0])));
            Kept.Add(bytes);
        }

        return new GPTWeights(config, tensors);
    }

    private static readonly List<byte[]> Kept = []; // pinned memory lives as long as an object refers to it

    private static Dictionary<string, float[]> Numbers(string folder)
    {
        using var weights = ModelFolder.Open(Path.IsPathRooted(folder) ? folder : Vectors.Path("tiny-gpt2", folder));
        return Numbers(weights);
    }

    private static Dictionary<string, float[]> Numbers(GPTWeights weights) =>
        weights.Tensors.Values.ToDictionary(tensor => tensor.Name, ToArray);

    private static float[] ToArray(WeightTensor tensor)
    {
        var numbers = new float[tensor.ElementCount];
        fixed (float* p = numbers) tensor.CopyTo(p);
        return numbers;
    }

    private static string[] Names(string folder) =>
        [.. Directory.GetFileSystemEntries(folder).Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal)];
}
