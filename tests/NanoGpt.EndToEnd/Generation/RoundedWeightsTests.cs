namespace NanoGpt.EndToEnd.Generation;

/// <summary>What rounding the weights costs the bundled model, in loss. A model of GPT-2's size: benchmarks rounding.</summary>
public sealed class RoundedWeightsTests
{
    [Theory]
    [InlineData(Dtype.BFloat16)]
    [InlineData(Dtype.Int8)]
    public void Rounded_weights_make_the_loss_at_most_half_a_percent_worse(Dtype dtype)
    {
        using var exact = GPT.FromPretrained(Bundled.Model);
        using var rounded = GPT.FromPretrained(Bundled.Model, new() { Dtype = dtype });
        var ids = exact.Tokenizer.Encode(Bundled.Text(exact.Tokenizer)[..8000]);
        using var exactly = new Generator(exact);
        using var roughly = new Generator(rounded);

        var (loss, roundedLoss) = (exactly.Score(ids, stride: 64).Loss, roughly.Score(ids, stride: 64).Loss);

        TestContext.Current.TestOutputHelper?.WriteLine(FormattableString.Invariant($"{dtype}: {loss:F5} -> {roundedLoss:F5}, {roundedLoss / loss - 1:P3}"));
        Assert.InRange(loss, 1, 3); // English that the model has not seen
        Assert.NotEqual(loss, roundedLoss);
        Assert.InRange(roundedLoss, 0, loss * 1.005);
    }
}
