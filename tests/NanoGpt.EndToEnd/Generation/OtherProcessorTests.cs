// Processors that are not this one, as far as the runtime can play them: without AVX2 the plain vectors have four numbers, as
// on arm64.

using NanoGpt.EndToEnd.Samples;

namespace NanoGpt.EndToEnd.Generation;

public sealed class OtherProcessorTests
{
    [Theory]
    [InlineData("float32")]
    [InlineData("bfloat16")]
    [InlineData("int8")]
    public void Text_is_the_same_without_AVX2(string dtype)
    {
        string[] sample = ["sample", $"--init_from={Bundled.Model}", $"--dtype={dtype}", "--start=The keeper", "--top_k=1", "--max_new_tokens=60", "--num_samples=1"];
        using var here = new Nanogpt();
        using var there = new Nanogpt { Environment = { ["DOTNET_EnableAVX2"] = "0" } };
        var (expected, actual) = (here.Run(sample), there.Run(sample));

        Assert.DoesNotContain("AVX", there.Run("doctor").Output, StringComparison.Ordinal); // it does play one
        expected.MustSucceed();
        actual.MustSucceed();
        Assert.StartsWith("The keeper ", expected.Output, StringComparison.Ordinal);
        Assert.Equal(expected.Output, actual.Output);
    }
}
