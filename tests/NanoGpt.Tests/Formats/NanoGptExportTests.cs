using System.IO.Compression;
using NanoGpt.Formats;

namespace NanoGpt.Tests.Formats;

public sealed unsafe class NanoGptExportTests
{
    [Theory]
    [InlineData("tiny-gpt2", "prefixed-tied")]
    [InlineData("tiny-gpt2", "f16")]
    [InlineData("tiny-gpt2", "bf16")]
    [InlineData("train", "nanogpt-ckpt.pt")]
    [InlineData("bad", "ckpt", "ok-views.pt")]
    [InlineData("bad", "model-dir", "ok-f64")]
    public void There_and_back_is_bit_identical(params string[] source)
    {
        using var folder = new TemporaryFolder();

        var note = Export(Vectors.Path(source), folder.File("nanogpt"));
        using (var gpt = GPT.FromPretrained(folder.File("nanogpt"))) gpt.SavePretrained(folder.File("hf"), maxShardSize: 50_000);

        using var original = ModelFolder.Open(Vectors.Path(source));
        using var exported = NanoGptCheckpoint.Open(folder.File("nanogpt", "ckpt.pt"));
        using var returned = ModelFolder.Open(folder.File("hf"));
        Assert.Equal(original.Config.Activation == ActivationFunction.Gelu, note is null);
        Assert.Equal(original.Config.Bias, exported.Config.Bias);
        foreach (var tensor in original.Tensors.Values)
        {
            Assert.Equal(tensor.Type, exported.Weights[tensor.Name].Type);
            Assert.Equal(ToArray(tensor), ToArray(exported.Weights[tensor.Name]));
            Assert.Equal(ToArray(tensor), ToArray(returned[tensor.Name]));
        }
    }

    [Fact]
    public void The_archive_is_whole_for_another_zip_reader_and_aligned_as_pytorchs_own()
    {
        using var folder = new TemporaryFolder();
        Export(Vectors.Path("tiny-gpt2", "prefixed-tied"), folder.Path);

        // .NET's reader checks sizes and CRC-32.
        using (var zip = ZipFile.OpenRead(folder.File("ckpt.pt")))
        {
            foreach (var entry in zip.Entries)
            {
                using var content = entry.Open();
                content.CopyTo(Stream.Null);
            }

            Assert.Equal(["ckpt/data.pkl", "ckpt/byteorder", "ckpt/data/0"], zip.Entries.Select(entry => entry.FullName).Take(3));
        }

        var bytes = File.ReadAllBytes(folder.File("ckpt.pt"));
        fixed (byte* start = bytes)
        {
            Assert.All(StoredZip.Read(start, bytes.Length, "ckpt.pt").Values, range => Assert.Equal(0, range.Offset % 64));
        }
    }

    [Fact]
    public void The_same_model_is_the_same_file()
    {
        using var folder = new TemporaryFolder();
        foreach (var name in new[] { "a", "b" }) Export(Vectors.Path("tiny-gpt2", "sharded"), folder.File(name));

        Assert.Equal(File.ReadAllBytes(folder.File("a", "ckpt.pt")), File.ReadAllBytes(folder.File("b", "ckpt.pt")));
    }

    [Theory]
    [InlineData("untied", "not tied")]
    public void What_nanogpt_cannot_compute_is_refused(string name, string expected)
    {
        using var folder = new TemporaryFolder();

        Assert.Contains(expected, Assert.Throws<ArgumentException>(() => Export(Vectors.Path("tiny-gpt2", name), folder.Path)).Message);
        Assert.Empty(Directory.GetFileSystemEntries(folder.Path));
    }

    [Fact]
    public void A_vocabulary_that_cannot_be_written_is_a_failed_save()
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder.File("vocab.json"));
        Assert.Throws<CheckpointException>(() => Export(Vectors.Path("tiny-gpt2", "vocab50257"), folder.Path));
    }

    [Fact]
    public void Each_option_that_nanogpt_lacks_is_named()
    {
        using var folder = new TemporaryFolder();
        using var weights = ModelFolder.Open(Vectors.Path("tiny-gpt2", "prefixed-tied"));
        var config = weights.Config with
        {
            Activation = ActivationFunction.Relu, LayerNormEpsilon = 1e-6, ScaleAttentionWeights = false, ScaleAttentionByInverseLayerIndex = true, NInner = 7,
        };

        var refusal = Assert.Throws<ArgumentException>(() => NanoGptExport.Save(folder.Path, config, weights));

        foreach (var part in new[] { "Relu", "1E-06", "scale_attn_weights", "inverse_layer", "n_inner is 7" }) Assert.Contains(part, refusal.Message);
    }

    [Fact]
    public void The_checksum_is_that_of_zip()
    {
        using var stream = new ChecksumStream(Stream.Null);
        stream.Write("1234"u8);
        stream.Write("56789"u8); // the check value of CRC-32 is that of "123456789"

        Assert.Equal(0xcbf43926u, stream.Checksum);
    }

    private static string? Export(string source, string folder)
    {
        using var gpt = GPT.FromPretrained(source);
        return gpt.SaveNanoGpt(folder);
    }

    private static float[] ToArray(WeightTensor tensor)
    {
        var numbers = new float[tensor.ElementCount];
        fixed (float* p = numbers) tensor.CopyTo(p);
        return numbers;
    }
}
