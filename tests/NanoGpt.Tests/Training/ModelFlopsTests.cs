using NanoGpt.Training;
using TorchSharp;

namespace NanoGpt.Tests.Training;

[Collection(nameof(TorchProcess))]
public sealed class ModelFlopsTests
{
    [Fact]
    public void Arithmetic_of_a_token_is_that_of_nanoGPTs_estimate_mfu()
    {
        var gpt2 = GPTConfig.Gpt2;

        // 6 N + 12 L H Q T with nanoGPT's N, the parameters without those of positions.
        Assert.Equal(6.0 * (gpt2.CountParameters() - 1024 * 768) + 12.0 * 12 * 12 * 64 * 1024, ModelFlops.PerToken(gpt2, 1024));
    }

    [Fact]
    public void Utilisation_is_never_above_one_and_remembers_what_was_reached()
    {
        var config = new GPTConfig { NLayer = 2, NHead = 2, NEmbd = 32, BlockSize = 32, VocabSize = 65 };
        const double faster = 1e14; // tokens a second: no machine's peak was measured so high
        double At(double speed) => ModelFlops.Utilisation(config, 32, speed, torch.CPU, torch.float32);

        Assert.InRange(At(1000), double.Epsilon, 1);
        Assert.Equal(1, At(faster));
        Assert.Equal(0.5, At(faster / 2), 1e-12);
    }
}
