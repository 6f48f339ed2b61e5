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
}
