using NanoGpt.Native;
using NanoGpt.Training;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace NanoGpt.Tests.Training;

[Collection(nameof(TorchProcess))]
public sealed class FusedAdamWTests : IDisposable
{
    private const double LearningRate = 1e-3;
    private readonly DisposeScope _scope = NewScope();

    public static TheoryData<string> Backends => ["Pass", "Fused", "Plain"];

    public void Dispose() => _scope.Dispose();

    [Theory]
    [MemberData(nameof(Backends))]
    public void Hundred_steps_equal_torch_optim_AdamW(string backend)
    {
        // Tolerance: weights of size 1 move by up to 1e-3 a step; float32 rounding alone is 6e-8 a step.
        var reference = Parameters();
        using var torchs = torch.optim.AdamW(
            [new AdamW.ParamGroup(reference.Where(p => p.Decay).Select(p => p.Parameter), new AdamW.Options { weight_decay = 0.1 }),
             new AdamW.ParamGroup(reference.Where(p => !p.Decay).Select(p => p.Parameter), new AdamW.Options { weight_decay = 0 })],
            LearningRate, 0.9, 0.95, 1e-8);
        var parameters = Parameters();
        using var ours = new FusedAdamW(parameters, Options(backend));
        Assert.Equal(backend, ours.Backend.ToString());

        for (var step = 0; step < 100; step++)
        {
            SetGradients(reference, step);
            SetGradients(parameters, step);
            var norm = TotalNorm(reference);
            _ = nn.utils.clip_grad_norm_(reference.Select(p => p.Parameter), 1.0);
            _ = torchs.step();
            Assert.Equal(norm, ours.Step(LearningRate, 1.0), 1e-5 * norm);
        }

        Assert.True(LargestDifference(reference, parameters) <= 1e-6, $"differs by {LargestDifference(reference, parameters)}");
    }

    [Theory]
    [InlineData("Fused")]
    [InlineData("Plain")]
    public void Pass_equals_the_slower_backends_without_clipping(string backend)
    {
        var (fast, slow) = (Parameters(), Parameters());
        using var pass = new FusedAdamW(fast, Options("Pass"));
        using var other = new FusedAdamW(slow, Options(backend));
        for (var step = 0; step < 20; step++)
        {
            SetGradients(fast, step);
            SetGradients(slow, step);
            Assert.Equal(other.Step(LearningRate, 0), pass.Step(LearningRate, 0), 1e-3);
        }

        Assert.True(LargestDifference(fast, slow) <= 1e-6); // two roundings a step, as above
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void A_gradient_that_is_not_finite_changes_nothing(string backend)
    {
        var parameters = Parameters();
        using var optimizer = new FusedAdamW(parameters, Options(backend));
        SetGradients(parameters, 0);
        _ = optimizer.Step(LearningRate, 1.0);
        var before = parameters.Select(p => p.Parameter.detach().clone()).ToArray();
        var momentsBefore = optimizer.ExportState().Moments.Select(m => m.ExpAvg.clone()).ToArray();

        foreach (var poison in new[] { float.NaN, float.PositiveInfinity })
        {
            SetGradients(parameters, 1);
            parameters[1].Parameter.grad![3] = poison;
            Assert.False(double.IsFinite(optimizer.Step(LearningRate, 1.0)));
        }

        Assert.Equal(1, optimizer.ExportState().Step);
        for (var i = 0; i < before.Length; i++)
        {
            Assert.True(before[i].equal(parameters[i].Parameter).all().item<bool>());
            Assert.True(momentsBefore[i].equal(optimizer.ExportState().Moments[i].ExpAvg).all().item<bool>());
        }
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Resumed_from_its_exported_state_it_goes_on_to_the_bit(string backend)
    {
        var straight = Parameters();
        using var whole = new FusedAdamW(straight, Options(backend));
        for (var step = 0; step < 10; step++) Take(whole, straight, step);

        var parameters = Parameters();
        using var first = new FusedAdamW(parameters, Options(backend));
        for (var step = 0; step < 5; step++) Take(first, parameters, step);
        using var second = new FusedAdamW(parameters, Options(backend));
        second.ImportState(first.ExportState());
        for (var step = 5; step < 10; step++) Take(second, parameters, step);

        Assert.Equal(0, LargestDifference(straight, parameters));
    }

    [Fact]
    public void The_number_of_threads_changes_no_bit()
    {
        var threads = get_num_threads();
        try
        {
            var (one, many) = (Parameters(), Parameters());
            foreach (var (parameters, count) in new[] { (one, 1), (many, 4) })
            {
                set_num_threads(count);
                using var optimizer = new FusedAdamW(parameters, Options("Pass"));
                for (var step = 0; step < 5; step++) Take(optimizer, parameters, step);
            }

            Assert.Equal(0, LargestDifference(one, many));
        }
        finally
        {
            set_num_threads(threads);
        }
    }

    [Fact]
    public void State_of_another_model_is_refused_before_anything_is_taken_over()
    {
        using var optimizer = new FusedAdamW(Parameters());
        var state = optimizer.ExportState();
        var wrongShape = state.Moments.Select((m, i) => i == 2 ? m with { ExpAvg = zeros(5), ExpAvgSq = zeros(5) } : m).ToArray();
        Assert.Contains("'b'", Assert.Throws<CheckpointException>(() => optimizer.ImportState(new(7, wrongShape))).Message);
        var missing = Assert.Throws<CheckpointException>(() => optimizer.ImportState(new(7, [.. state.Moments.Skip(1)])));
        Assert.Contains("'embedding'", missing.Message);
        Assert.Equal(0, optimizer.ExportState().Step);
    }

    [Fact]
    public void ZeroGrad_lets_go_of_the_gradients_and_a_parameter_without_one_stays()
    {
        var parameters = Parameters();
        using var optimizer = new FusedAdamW(parameters);
        SetGradients(parameters, 0);
        optimizer.ZeroGrad();
        Assert.All(parameters, p => Assert.Null(p.Parameter.grad));
        Assert.Equal(0, optimizer.Step(LearningRate, 1.0));
        Assert.Equal(0, LargestDifference(parameters, Parameters()));
    }

    [Fact]
    public void The_fastest_backend_that_fits_is_chosen()
    {
        using var single = new FusedAdamW(Parameters());
        Assert.Equal(AdamWBackend.Pass, single.Backend);
        using var twice = new FusedAdamW([("p", new Parameter(zeros(3, float64)), true)]);
        Assert.Equal(AdamWBackend.Plain, twice.Backend);
        var same = new Parameter(zeros(3));
        Assert.Throws<ArgumentException>(() => new FusedAdamW([("p", same, true), ("q", same, true)]));
    }

    [Fact]
    public void Steps_leave_no_tensors_behind()
    {
        var parameters = Parameters();
        using var optimizer = new FusedAdamW(parameters);
        Take(optimizer, parameters, 0);
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        for (var step = 1; step < 50; step++) Take(optimizer, parameters, step);
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    private static DisposeScope NewScope()
    {
        Libtorch.EnsureLoaded();
        return NewDisposeScope();
    }

    private static AdamWOptions Options(string backend) => new() { Backend = Enum.Parse<AdamWBackend>(backend) };

    // Sizes on both sides of a vector's length and of a chunk's.
    private static (string Name, Parameter Parameter, bool Decay)[] Parameters()
    {
        using var generator = new torch.Generator(7);
        return [
            ("embedding", new Parameter(randn(257, 300, generator: generator)), true),
            ("bias", new Parameter(randn(37, generator: generator)), false),
            ("b", new Parameter(randn(3, generator: generator)), false),
            ("weight", new Parameter(randn(64, 33, generator: generator)), true),
        ];
    }

    private static void SetGradients((string Name, Parameter Parameter, bool Decay)[] parameters, int step)
    {
        using var generator = new torch.Generator((ulong)(100 + step));
        foreach (var (_, parameter, _) in parameters) parameter.grad = randn(parameter.shape, generator: generator);
    }

    private static void Take(FusedAdamW optimizer, (string Name, Parameter Parameter, bool Decay)[] parameters, int step)
    {
        using var scope = NewDisposeScope();
        SetGradients(parameters, step);
        _ = optimizer.Step(LearningRate, 1.0);
        optimizer.ZeroGrad();
    }

    private static double TotalNorm((string Name, Parameter Parameter, bool Decay)[] parameters) =>
        Math.Sqrt(parameters.Sum(p => p.Parameter.grad!.to(float64).square().sum().item<double>()));

    private static double LargestDifference(
        (string Name, Parameter Parameter, bool Decay)[] a, (string Name, Parameter Parameter, bool Decay)[] b) =>
        a.Zip(b).Max(p => (p.First.Parameter - p.Second.Parameter).abs().max().item<float>());
}
