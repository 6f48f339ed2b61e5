using System.Runtime.Intrinsics.X86;
using NanoGpt.Autograd;
using NanoGpt.Native;
using NanoGpt.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace NanoGpt.Tests.Training;

/// <summary>Each lever on against the same lever off.</summary>
[Collection(nameof(TorchProcess))]
public sealed class SpeedLeversTests : IDisposable
{
    private readonly DisposeScope _scope = NewScope();

    public void Dispose() => _scope.Dispose();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Chunked_loss_and_its_gradients_equal_the_whole_one(bool isTied)
    {
        var config = Small with { TieWordEmbeddings = isTied };
        var (whole, chunked) = (Network(config), Network(config));
        var (x, y) = Batch(config.VocabSize);
        y[0, 3] = y[2, 5] = -1; // not counted

        var expected = whole.forward(x, y).Loss!;
        var actual = chunked.Loss(x, y);
        Assert.Equal(expected.item<float>(), actual.item<float>(), 5e-6f); // float32 sums in another order
        (expected * 3).backward();
        (actual * 3).backward();
        AssertGradientsEqual(whole, chunked, 3e-6); // of three times the loss, for the same reason

        using var noGrad = no_grad();
        Assert.Equal(actual.item<float>(), chunked.Loss(x, y).item<float>());
    }

    [Theory]
    [InlineData(65)]       // a row at a time
    [InlineData(7 * 65)]   // 48 rows: six sevens and six
    [InlineData(48 * 65)]  // one chunk
    public void Size_of_the_chunks_changes_nothing(int logitsAtATime)
    {
        using var generator = new torch.Generator(2);
        var hidden = randn(48, 32, generator: generator).requires_grad_();
        var weight = randn(65, 32, generator: generator).requires_grad_();
        var targets = randint(65, [48], generator: generator, dtype: int64);
        var expected = nn.functional.cross_entropy(nn.functional.linear(hidden, weight), targets);
        expected.backward();
        var (hiddenGradient, weightGradient) = (hidden.grad!.clone(), weight.grad!.clone());
        (hidden.grad, weight.grad) = (null, null);

        var actual = ProjectedCrossEntropy.Of(hidden, weight, targets, logitsAtATime: logitsAtATime);
        actual.backward();
        Assert.Equal(expected.item<float>(), actual.item<float>(), 1e-5f); // of a loss of 20
        Assert.True(hidden.grad!.allclose(hiddenGradient, 1e-4, 1e-6));
        Assert.True(weight.grad!.allclose(weightGradient, 1e-4, 1e-6));
    }

    [Fact]
    public void Chunked_loss_refuses_ids_that_are_not_there_and_is_not_a_number_without_targets()
    {
        var network = Network(Small);
        var (x, y) = Batch(Small.VocabSize);
        y[1, 1] = -5;
        Assert.ThrowsAny<Exception>(() => network.Loss(x, y));
        Assert.True(float.IsNaN(network.Loss(x, full_like(x, -1)).item<float>())); // as cross_entropy
    }

    [Fact]
    public void Recomputed_blocks_give_the_same_gradients_to_the_bit_with_dropout()
    {
        var config = Small with { ResidualDropout = 0.2, AttentionDropout = 0.1, EmbeddingDropout = 0.1 };
        var (kept, recomputed) = (Network(config), Network(config));
        recomputed.RecomputesBlocks = true;
        var (x, y) = Batch(config.VocabSize);
        foreach (var network in new[] { kept, recomputed })
        {
            network.train();
            for (var micro = 0; micro < 2; micro++) // gradients add up
            {
                _ = random.manual_seed(9);
                network.Loss(x, y).backward();
            }
        }

        AssertGradientsEqual(kept, recomputed, 0);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Loss_leaves_nothing_but_itself_to_the_callers_scope(bool recomputesBlocks)
    {
        // A wrapper left in the step's scope would keep its memory until after the backward pass.
        var network = Network(Small);
        network.RecomputesBlocks = recomputesBlocks;
        var (x, y) = Batch(Small.VocabSize);
        using var scope = NewDisposeScope();
        var loss = network.Loss(x, y);
        Assert.Equal([loss], scope.DisposablesView);
    }

    [Fact]
    public void Recomputed_blocks_leave_no_tensors_behind()
    {
        var network = Network(Small);
        network.RecomputesBlocks = true;
        var (x, y) = Batch(Small.VocabSize);
        var counts = new List<long>();
        for (var step = 0; step < 6; step++)
        {
            using var scope = NewDisposeScope();
            network.Loss(x, y).backward();
            foreach (var parameter in network.parameters()) parameter.grad = null;
            scope.Dispose();
            counts.Add(DisposeScopeManager.Statistics.ThreadTotalLiveCount);
        }

        Assert.Equal(counts[1], counts[^1]);
    }

    [Fact]
    public void Memory_is_not_kept_on_a_thread_whose_arena_would_not_listen()
    {
        // What it does on the first thread: NanoGpt.EndToEnd, as a test runner has no test there.
        Assert.SkipUnless(GlibcHeap.IsUsed, "glibc");
        GlibcHeap? heap = null;
        for (var i = 0; i < 4 && heap is null; i++) // a thread may, by chance, be the first one's guest
        {
            var thread = new Thread(() => heap = GlibcHeap.Keep());
            thread.Start();
            thread.Join();
            if (heap is null) return;
            heap.Dispose();
            heap = null;
        }

        Assert.Fail("every thread was on the main arena");
    }

    [Fact]
    public void OneDnn_products_agree_with_MKLs_and_the_switch_goes_back()
    {
        using var generator = new torch.Generator(5);
        var (x, weight) = (randn(64, 96, generator: generator), randn(80, 96, generator: generator));
        var before = nn.functional.linear(x, weight);
        using (var oneDnn = OneDnnProducts.Use())
        {
            Assert.SkipWhen(oneDnn is null, "this libtorch has no such switch");

            // On processors where oneDNN is better this is rounding of float32; on one that rounds to bfloat16 it is 1e-2,
            // and UseWhereBetter must then refuse.
            var error = ((nn.functional.linear(x, weight) - before).norm() / before.norm()).item<float>();
            if (error > 1e-5) Assert.Null(OneDnnProducts.UseWhereBetter(64, 96));
        }

        Assert.True(before.equal(nn.functional.linear(x, weight)).all().item<bool>());
    }

    [Fact]
    public void A_measurement_leaves_the_callers_random_numbers_alone()
    {
        var state = random.get_rng_state();
        OneDnnProducts.UseWhereBetter(33, 17)?.Dispose();
        _ = BFloat16Products.Slowdown(CPU);
        Assert.True(state.equal(random.get_rng_state()).all().item<bool>());
    }

    [Fact]
    public void Run_puts_network_and_process_back_and_a_slow_bfloat16_is_said()
    {
        var network = Network(Small);
        var warnings = new List<string>();
        var options = new TrainerOptions { BatchSize = 2, BlockSize = 16, Dtype = Dtype.BFloat16, GradientCheckpointing = true };
        using (SpeedLevers.Apply(network, CPU, options, null, warnings.Add))
        {
            Assert.True(network.RecomputesBlocks);
            Assert.Equal(BFloat16Products.Slowdown(CPU) > 1.5, network.ProductType is null);
            Assert.Equal(network.ProductType is null ? 1 : 0, warnings.Count);
        }

        Assert.False(network.RecomputesBlocks);
        Assert.Null(network.ProductType);
    }

    [Fact]
    public void Gradients_are_computed_without_autograd_where_that_gives_the_same_and_a_resumed_run_keeps_its_way()
    {
        var options = new TrainerOptions { BatchSize = 2, BlockSize = 16 };
        bool IsManaged(GPTModel network, TrainerOptions chosen, TrainerState? before = null)
        {
            using var levers = SpeedLevers.Apply(network, CPU, chosen, before, _ => { });
            return levers.UsesManagedPass;
        }

        var network = Network(Small);
        var unmeasured = new TrainerState { UsesManagedPass = true }; // a processor with AVX-512 may be faster with libtorch
        Assert.True(IsManaged(network, options, unmeasured));
        Assert.False(IsManaged(network, options, new TrainerState { UsesManagedPass = false }));
        Assert.False(IsManaged(network, options with { Speed = new() { ManagedPass = false } }, unmeasured));
        if (Avx2.IsSupported && !Avx512F.IsSupported) Assert.True(IsManaged(network, options));

        // What it does not do, or not to the same numbers.
        Assert.False(IsManaged(Network(Small with { ResidualDropout = 0.1 }), options, unmeasured));
        Assert.False(IsManaged(Network(Small with { AttentionDropout = 0.1 }), options, unmeasured));
        Assert.False(IsManaged(Network(Small with { EmbeddingDropout = 0.1 }), options, unmeasured));
        network.Blocks[0].parameters().First().requires_grad = false;
        Assert.False(IsManaged(network, options, unmeasured));
    }

    [Fact]
    public void Managed_gradients_are_where_the_optimizer_looks_and_begin_anew_after_each_step()
    {
        var (network, plain) = (Network(Small), Network(Small));
        var options = new TrainerOptions { BatchSize = 3, BlockSize = 16 };
        using var managed = new ManagedPass(network, options);
        using var autograd = new AutogradPass(plain, options, CPU);
        var (x, y) = Batch(Small.VocabSize);
        long[] ids = [.. x.data<long>()], targets = [.. y.data<long>()];
        for (var step = 0; step < 3; step++)
        {
            foreach (var pass in new IGradientPass[] { managed, autograd })
                for (var micro = 0; micro < 2; micro++) _ = pass.AddGradients(ids, targets, 0.5, 1, seed: micro);
            AssertGradientsEqual(plain, network, 1e-6); // float32 sums in another order
            foreach (var parameter in network.parameters().Concat(plain.parameters())) parameter.grad = null;
        }
    }

    private static readonly GPTConfig Small = new() { NLayer = 2, NHead = 2, NEmbd = 32, BlockSize = 16, VocabSize = 65 };

    private static DisposeScope NewScope()
    {
        Libtorch.EnsureLoaded();
        return NewDisposeScope();
    }

    private GPTModel Network(GPTConfig config)
    {
        _ = random.manual_seed(3);
        return new GPTModel(config);
    }

    private static (Tensor X, Tensor Y) Batch(int vocabulary)
    {
        using var generator = new torch.Generator(11);
        return (randint(vocabulary, [3, 16], generator: generator, dtype: int64), randint(vocabulary, [3, 16], generator: generator, dtype: int64));
    }

    private static void AssertGradientsEqual(GPTModel expected, GPTModel actual, double tolerance)
    {
        foreach (var ((name, parameter), (_, other)) in expected.named_parameters().Zip(actual.named_parameters()))
        {
            var difference = (parameter.grad! - other.grad!).abs().max().item<float>();
            Assert.True(difference <= tolerance, $"{name}: gradients differ by {difference}");
        }
    }
}
