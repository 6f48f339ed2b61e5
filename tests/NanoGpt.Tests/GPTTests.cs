// What a user holds, where no other test asks: the network's device, and ids instead of text.

using TorchSharp;

namespace NanoGpt.Tests;

public sealed class GPTTests
{
    [Fact]
    public void Network_moves_to_the_device_that_is_named_or_says_why_not()
    {
        using var gpt = GPT.FromPretrained(Vectors.Path("tiny-gpt2", "vocab50257"));
        Assert.Same(gpt, gpt.To("cpu"));
        Assert.Equal(DeviceType.CPU, gpt.Network.Device.type);
        Assert.Contains("cuda:99", Assert.Throws<BackendException>(() => gpt.To("cuda:99")).Message, StringComparison.Ordinal);
        Assert.Equal(DeviceType.CPU, gpt.Network.Device.type);
    }

    [Fact]
    public void Ids_are_continued_as_their_text_is()
    {
        using var gpt = GPT.FromPretrained(Vectors.Path("tiny-gpt2", "vocab50257"));
        var options = new GenerationOptions { MaxNewTokens = 12, Seed = 3 };
        var ids = gpt.GenerateTokens(gpt.Tokenizer.Encode("Hello"), options);
        Assert.Equal(gpt.Generate("Hello", options), gpt.Tokenizer.Decode(ids));
    }

    [Theory]
    [InlineData("model.safetensors")]
    [InlineData("vocab.json")]
    [InlineData("model.safetensors", "vocab.json")]
    public async Task What_is_broken_in_a_folder_is_told_weights_first_and_nothing_stays_mapped(params string[] broken)
    {
        using var folder = new TemporaryFolder();
        foreach (var file in new[] { "config.json", "model.safetensors" }) File.Copy(Path.Combine(Vectors.Path("tiny-gpt2", "vocab50257"), file), folder.File(file));
        NanoGpt.Tokenization.Tokenizer.Gpt2.Save(folder.Path);
        foreach (var file in broken) File.WriteAllText(folder.File(file), "{ this is neither");

        var error = await Assert.ThrowsAsync<ModelFormatException>(() => GPT.FromPretrainedAsync(folder.Path, cancellationToken: TestContext.Current.CancellationToken));
        Assert.Contains(folder.File(broken[0]), error.Message, StringComparison.Ordinal);
        Assert.Equal(error.Message, Assert.Throws<ModelFormatException>(() => GPT.FromPretrained(folder.Path)).Message);
        if (OperatingSystem.IsLinux()) Assert.DoesNotContain(File.ReadLines("/proc/self/maps"), line => line.Contains(folder.Path, StringComparison.Ordinal));
    }

    [Fact]
    public void A_model_of_another_size_than_GPT2s_and_without_vocabulary_takes_ids_alone()
    {
        using var gpt = GPT.FromPretrained(Vectors.Path("tiny-gpt2", "untied"));
        Assert.Contains("no vocabulary", Assert.Throws<ModelFormatException>(() => gpt.Tokenizer).Message, StringComparison.Ordinal);
    }
}
