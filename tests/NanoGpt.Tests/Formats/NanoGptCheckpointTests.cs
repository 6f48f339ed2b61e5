using System.Text.Json;
using NanoGpt.Formats;

namespace NanoGpt.Tests.Formats;

public sealed unsafe class NanoGptCheckpointTests
{
    public static TheoryData<string, string> Cases => Verdicts.Read("ckpt", "file");

    [Theory]
    [MemberData(nameof(Cases))]
    public void Every_checkpoint_gets_its_verdict(string name, string must)
    {
        var refusal = Verdicts.Check(must, () => NanoGptCheckpoint.Open(Vectors.Path("bad", "ckpt", name)).Dispose());

        if (refusal is not null) Assert.Contains(name, refusal.Message);
    }

    [Theory]
    [InlineData("global-eval.pt", "'__builtin__.eval'")]
    [InlineData("global-getcwd.pt", "It was not run")]
    [InlineData("storage-missing.pt", "which is not in the file")]
    [InlineData("storage-short.pt", "elements, of which")]
    [InlineData("truncated.pt", "cut off")]
    [InlineData("deep-pickle.pt", "holds no dict")] // nothing here recurses: 100,000 tuples are only data
    [InlineData("long-string.pt", "2147483647 bytes")]
    [InlineData("args-mismatch.pt", "Missing (12): 'h.1.ln_1.weight'")]
    [InlineData("big-endian.pt", "big-endian")]
    [InlineData("legacy-format.pt", "before 1.6")]
    [InlineData("only-tensor.pt", "holds no dict")]
    public void A_refusal_says_what_is_wrong(string name, string expected) =>
        Assert.Contains(expected, Assert.Throws<ModelFormatException>(() => NanoGptCheckpoint.Open(Vectors.Path("bad", "ckpt", name))).Message);

    [Theory]
    [InlineData("nanogpt-ckpt.pt")]
    [InlineData("nanogpt-ckpt-compiled.pt")]
    public void Weights_optimizer_and_settings_are_those_that_were_saved(string name)
    {
        using var expected = SafetensorsFile.Open(Vectors.Path("train", "nanogpt-ckpt.expected.safetensors"));
        using var json = JsonDocument.Parse(File.ReadAllBytes(Vectors.Path("train", "nanogpt-ckpt.expected.json")));

        using var checkpoint = NanoGptCheckpoint.Open(Vectors.Path("train", name));

        Assert.Equal(
            new GPTConfig { NLayer = 2, NHead = 2, NEmbd = 32, BlockSize = 32, VocabSize = 65, Bias = false, Activation = ActivationFunction.Gelu },
            checkpoint.Config);
        Assert.Equal(25, checkpoint.IterNum);
        Assert.Equal(json.RootElement.GetProperty("best_val_loss").GetDouble(), checkpoint.BestValLoss);
        CheckSettings(json.RootElement.GetProperty("config"), checkpoint.Settings, isCompiled: name == "nanogpt-ckpt-compiled.pt");

        var order = json.RootElement.GetProperty("optimizer_param_order").EnumerateArray().Select(name => name.GetString()!["transformer.".Length..]).ToList();
        Assert.Equal(order, NanoGptOptimizer.Order(checkpoint.Config).Select(parameter => parameter.Name));
        Assert.Equal(order.Order(), checkpoint.Optimizer!.Moments.Keys.Order());
        Assert.Equal(order.Order(), checkpoint.Weights.Tensors.Keys.Order());
        foreach (var parameter in order)
        {
            var moments = checkpoint.Optimizer.Moments[parameter];
            Assert.Equal(25, moments.Step);
            CheckEqual(expected, $"weight.transformer.{parameter}", checkpoint.Weights[parameter]);
            CheckEqual(expected, $"exp_avg.transformer.{parameter}", moments.ExpAvg);
            CheckEqual(expected, $"exp_avg_sq.transformer.{parameter}", moments.ExpAvgSq);
        }
    }

    [Fact]
    public void Transposed_views_and_a_gpu_and_no_optimizer_hold_the_same_numbers()
    {
        var expected = Numbers("ok.pt");
        Assert.Equal(16, expected.Count);

        foreach (var name in new[] { "ok-views.pt", "ok-cuda.pt", "no-optimizer.pt" }) Assert.Equal(expected, Numbers(name));
    }

    [Fact]
    public void Half_precision_is_the_same_up_to_its_rounding()
    {
        var expected = Numbers("ok.pt");
        foreach (var (name, numbers) in Numbers("ok-f16.pt"))
            for (var i = 0; i < numbers.Length; i++) Assert.Equal((float)(Half)expected[name][i], numbers[i]);
    }

    [Fact]
    public void A_checkpoint_without_optimizer_state_says_so()
    {
        using var checkpoint = NanoGptCheckpoint.Open(Vectors.Path("bad", "ckpt", "no-optimizer.pt"));

        Assert.Null(checkpoint.Optimizer);
        Assert.Equal(3, checkpoint.IterNum);
    }

    [Fact]
    public void A_model_folder_opens_from_the_file_and_from_nanogpts_out_dir()
    {
        using var folder = new TemporaryFolder();
        File.Copy(Vectors.Path("train", "nanogpt-ckpt.pt"), folder.File("ckpt.pt"));

        using var fromFile = ModelFolder.Open(folder.File("ckpt.pt"));
        using var fromFolder = ModelFolder.Open(folder.Path);

        Assert.Equal(ActivationFunction.Gelu, fromFile.Config.Activation);
        Assert.Equal(fromFile.Config, fromFolder.Config);
    }

    [Fact]
    public void A_nanogpt_checkpoint_becomes_a_hugging_face_folder_with_the_same_numbers()
    {
        using var folder = new TemporaryFolder();
        using var weights = ModelFolder.Open(Vectors.Path("train", "nanogpt-ckpt.pt"));

        ModelFolder.Save(folder.Path, weights.Config, weights);

        using var again = ModelFolder.Open(folder.Path);
        Assert.Equal(weights.Config, again.Config);
        foreach (var tensor in weights.Tensors.Values) Assert.Equal(ToArray(tensor), ToArray(again[tensor.Name]));
    }

    private static void CheckSettings(JsonElement expected, IReadOnlyDictionary<string, object> settings, bool isCompiled)
    {
        Assert.Equal(expected.EnumerateObject().Select(p => p.Name).Order(), settings.Keys.Order());
        foreach (var property in expected.EnumerateObject())
        {
            object value = property.Value.ValueKind switch
            {
                JsonValueKind.False when property.Name == "compile" => isCompiled,
                JsonValueKind.True => true,
                JsonValueKind.False => false,
                JsonValueKind.String => property.Value.GetString()!,
                _ => property.Value.GetRawText().AsSpan().IndexOfAny('.', 'e') < 0 ? property.Value.GetInt64() : (object)property.Value.GetDouble(),
            };
            Assert.Equal(value, settings[property.Name]);
        }
    }

    private static void CheckEqual(SafetensorsFile file, string name, WeightTensor tensor)
    {
        Assert.Equal(file.Tensors[name].Shape, tensor.Shape);
        Assert.Equal(file.Bytes(name), new ReadOnlySpan<byte>(tensor.Data, (int)tensor.ByteCount));
    }

    private static Dictionary<string, float[]> Numbers(string name)
    {
        using var checkpoint = NanoGptCheckpoint.Open(Vectors.Path("bad", "ckpt", name));
        return checkpoint.Weights.Tensors.Values.ToDictionary(tensor => tensor.Name, ToArray);
    }

    private static float[] ToArray(WeightTensor tensor)
    {
        var numbers = new float[tensor.ElementCount];
        fixed (float* p = numbers) tensor.CopyTo(p);
        return numbers;
    }
}
