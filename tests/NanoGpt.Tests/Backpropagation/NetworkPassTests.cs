// Gradients computed by ourselves against autograd's, for every form that a model can have.

using NanoGpt.Backpropagation;
using NanoGpt.Native;
using NanoGpt.Tests.Numerics;
using NanoGpt.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace NanoGpt.Tests.Backpropagation;

[Collection(nameof(TorchProcess))]
public sealed class NetworkPassTests : IDisposable
{
    private static readonly GPTConfig Small = new() { NLayer = 2, NHead = 2, NEmbd = 32, BlockSize = 16, VocabSize = 65 };

    private readonly DisposeScope _scope = NewScope();

    private const string Uneven = "odd widths";

    public static TheoryData<string, GPTConfig, int, int> Models => new()
    {
        { "GPT-2's form", Small, 3, 16 },
        { "shorter than the block size", Small, 2, 11 },
        { "one token", Small, 1, 1 },
        { "as nanoGPT trains", Small with { Activation = ActivationFunction.Gelu, Bias = false }, 3, 16 },
        { "relu", Small with { Activation = ActivationFunction.Relu }, 3, 16 },
        { "silu", Small with { Activation = ActivationFunction.Silu }, 3, 16 },
        { "tanh", Small with { Activation = ActivationFunction.Tanh }, 3, 16 },
        { "a head of its own", Small with { TieWordEmbeddings = false }, 3, 16 },
        { "scores not scaled", Small with { ScaleAttentionWeights = false }, 3, 16 },
        { "scores by layer", Small with { ScaleAttentionByInverseLayerIndex = true }, 3, 16 },
        { Uneven, Small with { NEmbd = 39, NHead = 3, NInner = 53, VocabSize = 101 }, 5, 13 },
        { "more than a block of queries", Small with { BlockSize = 200, NLayer = 1 }, 2, 131 },
        { "deeper than a block of the product", Small with { NEmbd = 288, NHead = 3, NLayer = 1 }, 3, 16 },
    };

    public void Dispose() => _scope.Dispose();

    [Theory]
    [MemberData(nameof(Models))]
    public void Loss_and_gradients_are_autograds(string form, GPTConfig config, int sequences, int length)
    {
        var network = Network(config);
        var (x, y) = Batch(config, sequences, length);
        y[0] = length > 1 ? -1 : y[0]; // not counted
        using var pass = new AutogradPass(network, Options(sequences, length), CPU);
        var expected = pass.AddGradients(x, y, 0.5, 1, 0) + pass.AddGradients(y.Select(id => Math.Max(id, 0)).ToArray(), y, 0.5, 1, 0);
        var gradients = Gradients(network);

        foreach (var kernels in form == Uneven ? TestKernels.Gradients : GradientKernels.Supported) // number by number they take long
        {
            foreach (var recomputes in new[] { false, true })
            {
                using var ours = new OwnGradients(network, sequences, length, recomputes, kernels);
                var actual = ours.Pass.LossAndGradients(ours.Weights, x, y, 0.5, adds: false) / 2
                    + ours.Pass.LossAndGradients(ours.Weights, y.Select(id => Math.Max(id, 0)).ToArray(), y, 0.5, adds: true) / 2;
                Assert.Equal(expected, actual, 2e-6); // of a loss of 4; float32 sums in another order
                AssertEqual(gradients, ours.Gradients, 2e-5);
                Assert.Equal(pass.Loss(x, y), ours.Pass.Loss(ours.Weights, x, y), 2e-6);
            }
        }
    }

    [Fact]
    public void Number_of_threads_and_recomputing_change_nothing_to_the_bit()
    {
        var network = Network(Small);
        var (x, y) = Batch(Small, 5, 16);
        using var alone = new OwnGradients(network, 5, 16, recomputes: false, GradientKernels.Best, threads: 1);
        var loss = alone.Pass.LossAndGradients(alone.Weights, x, y, 1, adds: false);
        foreach (var (threads, recomputes) in new[] { (2, false), (3, true), (8, false) })
        {
            using var shared = new OwnGradients(network, 5, 16, recomputes, GradientKernels.Best, threads);
            Assert.Equal(loss, shared.Pass.LossAndGradients(shared.Weights, x, y, 1, adds: false));
            AssertEqual(alone.Gradients, shared.Gradients, 0);
        }
    }

    [Fact]
    public void Ids_that_are_not_there_are_refused()
    {
        var network = Network(Small);
        using var ours = new OwnGradients(network, 1, 4, recomputes: false, GradientKernels.Best);
        long[] good = [1, 2, 3, 4];
        Assert.Contains("Token id 65", Assert.Throws<ArgumentException>(() => ours.Pass.Loss(ours.Weights, [1, 65, 3, 4], good)).Message, StringComparison.Ordinal);
        Assert.Contains("Target -2", Assert.Throws<ArgumentException>(() => ours.Pass.Loss(ours.Weights, good, [1, -2, 3, 4])).Message, StringComparison.Ordinal);
        Assert.Contains("3 ids", Assert.Throws<ArgumentException>(() => ours.Pass.Loss(ours.Weights, [1, 2, 3], good)).Message, StringComparison.Ordinal);
        Assert.True(double.IsNaN(ours.Pass.Loss(ours.Weights, good, [-1, -1, -1, -1]))); // as cross_entropy
    }

    private static TrainerOptions Options(int sequences, int length) => new() { BatchSize = sequences, BlockSize = length };

    private static DisposeScope NewScope()
    {
        Libtorch.EnsureLoaded();
        return NewDisposeScope();
    }

    private static GPTModel Network(GPTConfig config)
    {
        random.manual_seed(3);
        var network = new GPTModel(config);
        using var _ = no_grad();
        foreach (var parameter in network.parameters()) parameter.add_(randn_like(parameter) * 0.1); // biases and norms that are not 0 and 1
        return network;
    }

    private static (long[] X, long[] Y) Batch(GPTConfig config, int sequences, int length)
    {
        var draw = new Random(11);
        long[] Ids() => [.. Enumerable.Range(0, sequences * length).Select(_ => (long)draw.Next(config.VocabSize))];
        return (Ids(), Ids());
    }

    private static Dictionary<string, Tensor> Gradients(GPTModel network) => network.named_parameters().ToDictionary(p => p.name, p => p.parameter.grad!);

    private static void AssertEqual(Dictionary<string, Tensor> expected, Dictionary<string, Tensor> actual, double tolerance)
    {
        foreach (var (name, gradient) in expected)
        {
            var difference = (gradient - actual[name]).abs().max().item<float>();
            Assert.True(difference <= tolerance * Math.Max(1, gradient.abs().max().item<float>()), $"{name}: gradients differ by {difference}");
        }
    }

    /// <summary>A pass with gradients of its own.</summary>
    private sealed unsafe class OwnGradients : IDisposable
    {
        public OwnGradients(GPTModel network, int sequences, int length, bool recomputes, GradientKernels kernels, int threads = 2)
        {
            Gradients = network.named_parameters().ToDictionary(p => p.name, p => full_like(p.parameter, float.NaN, requires_grad: false));
            var memory = network.named_parameters().ToDictionary(p => p.name, p => new Weight(Memory(p.parameter), Memory(Gradients[p.name])));
            Weights = new NetworkWeights(network.Config, name => memory.GetValueOrDefault(name));
            Pass = new NetworkPass(network.Config, sequences, length, recomputes, kernels, threads);
        }

        public Dictionary<string, Tensor> Gradients { get; }

        public NetworkWeights Weights { get; }

        public NetworkPass Pass { get; }

        public void Dispose() => Pass.Dispose();

        private static float* Memory(Tensor tensor)
        {
            fixed (byte* first = tensor.bytes) return (float*)first;
        }
    }
}
