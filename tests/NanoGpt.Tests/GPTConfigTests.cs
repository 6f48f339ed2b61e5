namespace NanoGpt.Tests;

public sealed class GPTConfigTests
{
    [Theory]
    [InlineData("gpt2", 124_439_808)]
    [InlineData("gpt2-medium", 354_823_168)]
    [InlineData("gpt2-large", 774_030_080)]
    [InlineData("gpt2-xl", 1_557_611_200)]
    [InlineData("distilgpt2", 81_912_576)]
    public void Presets_have_the_published_number_of_parameters(string model, long parameters)
    {
        var config = model switch
        {
            "gpt2" => GPTConfig.Gpt2,
            "gpt2-medium" => GPTConfig.Gpt2Medium,
            "gpt2-large" => GPTConfig.Gpt2Large,
            "gpt2-xl" => GPTConfig.Gpt2XL,
            _ => GPTConfig.DistilGpt2,
        };

        config.Validate();
        Assert.Equal(parameters, config.CountParameters());
        Assert.Equal(parameters - config.BlockSize * (long)config.NEmbd, config.CountParameters(includePositions: false));
    }

    [Fact]
    public void Validation_names_every_fault_at_once()
    {
        var config = new GPTConfig { NEmbd = 10, NHead = 3, NLayer = 0, ResidualDropout = 1, LayerNormEpsilon = 0, EosTokenId = -1 };

        var message = Assert.Throws<ArgumentException>(config.Validate).Message;

        foreach (var name in new[] { "n_embd (10)", "n_layer is 0", "resid_pdrop is 1", "layer_norm_epsilon is 0", "eos_token_id is -1" })
            Assert.Contains(name, message);
    }

    [Fact]
    public void Sizes_that_follow_from_others_are_those_of_GPT2()
    {
        Assert.Equal((64, 3072), (GPTConfig.Gpt2.HeadSize, GPTConfig.Gpt2.InnerSize));
        Assert.Equal(100, (GPTConfig.Gpt2 with { NInner = 100 }).InnerSize);
    }
}
