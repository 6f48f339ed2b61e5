using System.Runtime.InteropServices;
using NanoGpt.Training;
using TorchSharp;

namespace NanoGpt.Tests.Training;

[Collection(nameof(TorchProcess))]
public sealed class PreflightTests : IDisposable
{
    private static readonly GPTConfig Config = new() { NLayer = 2, NHead = 2, NEmbd = 32, VocabSize = 65, BlockSize = 32 };
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void What_the_run_will_be_is_said_before_it_begins()
    {
        var options = Complete(new() { MaxIters = 999, BatchSize = 8, GradientAccumulationSteps = 5 });

        var said = Preflight.Notices(options, Config, new NanoGptBatches(), memory: 3L << 30).ToList();

        Assert.Equal(
        [
            "tokens per iteration will be: 1,280 (5 x 8 x 32)",
            "number of parameters: 0.03M",
            "the whole run is 1.28 epochs of 1,000,000 tokens",
            "an untrained model's loss is about 4.17",
            "tensors will need about 1 MiB of 3.0 GiB",
        ], said);
        Assert.Equal("tensors will need about 1 MiB", Preflight.Notices(options, Config, new NanoGptBatches(), memory: null).Last());
    }

    // What was measured for the process as a whole (docs/performance.md); the process itself and the
    // workspace of a pass are not in the estimate.
    [Theory]
    [InlineData(false, 1, 1024, false, 2528)]
    [InlineData(false, 2, 512, false, 2527)]
    [InlineData(true, 1, 1024, true, 5836)]
    public void Estimated_memory_is_near_what_was_measured(bool medium, int batchSize, int blockSize, bool checkpointing, double megabytes)
    {
        var options = new TrainerOptions { BatchSize = batchSize, BlockSize = blockSize, GradientCheckpointing = checkpointing };

        Assert.InRange(Preflight.EstimateMemory(medium ? GPTConfig.Gpt2Medium : GPTConfig.Gpt2, options) / 1e6 / megabytes, 0.8, 1.05);
    }

    [Fact]
    public void Estimated_memory_knows_what_saves_memory()
    {
        var plain = new TrainerOptions { BatchSize = 12, BlockSize = 1024, Speed = new() { ManagedPass = false, ChunkedLoss = false } };
        var chunked = plain with { Speed = new() { ManagedPass = false } };
        long Of(TrainerOptions options) => Preflight.EstimateMemory(GPTConfig.Gpt2, options);

        Assert.InRange(Of(plain) - Of(chunked), 7.0e9, 7.5e9); // 3 x 12,288 x 50,257 values but for a part of 64 MiB each
        Assert.Equal(Of(plain), Of(chunked with { Dtype = Dtype.Float16 })); // whose loss is scaled and so not computed in parts
        Assert.InRange(Of(chunked) / (double)Of(chunked with { GradientCheckpointing = true }), 3, 4);
        Assert.InRange(Of(chunked) / (double)Of(plain with { Speed = new() }), 1.5, 1.8); // which computes again what is quickly computed
        Assert.Equal(Of(chunked), Of(plain with { Speed = new(), Device = "mps" })); // where autograd does it
        Assert.Equal(Of(chunked), Of(plain with { Speed = new(), Dtype = Dtype.BFloat16 }));
    }

    [Fact]
    public void What_is_probably_not_meant_is_warned_of()
    {
        Assert.Empty(Warnings(new()));
        Assert.Empty(Warnings(new() { WarmupIters = 2000, DecayLr = false, MaxIters = 10 }));
        Assert.Matches(@"^this run needs about 1\.7 GiB of memory and the device has 1\.0 GiB: lower batch_size or block_size", Assert.Single(Warnings(new() { BatchSize = 20_000 })));
        Assert.StartsWith("warmup_iters (20) is above max_iters (10)", Warnings(new() { WarmupIters = 20, MaxIters = 10 })[0], StringComparison.Ordinal);
        Assert.StartsWith("lr_decay_iters (50) is below max_iters (100)", Assert.Single(Warnings(new() { MaxIters = 100, LrDecayIters = 50 })), StringComparison.Ordinal);
        Assert.Empty(Warnings(new() { MaxIters = 100, LrDecayIters = 50, LrSchedule = LearningRateSchedule.Constant }));

        static List<string> Warnings(TrainerOptions options) => [.. Preflight.Warnings(Complete(options), Config, memory: 1L << 30)];
    }

    [Theory]
    [InlineData("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 7.79 GiB of which 1.1 GiB is free.")]
    [InlineData("[enforce fail at alloc_cpu.cpp:121] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 4503599627370496 bytes.")]
    [InlineData("MPS backend out of memory (MPS allocated: 8.00 GB)")]
    public void Memory_that_runs_out_is_told_with_batch_block_and_estimate(string libtorch)
    {
        using var gpt = NanoGptRun.NewModel(Config);
        var batches = new NanoGptBatches { OnStep = place => { if (place.Iteration == 2) throw new LibtorchException(libtorch); } };
        var options = new TrainerOptions { OutDir = _folder.File("out"), MaxIters = 9, EvalIters = 1, BatchSize = 8, BlockSize = 32, GradientAccumulationSteps = 3 };

        var error = Assert.Throws<BackendException>(() => new Trainer(gpt, options).TrainOn(batches, null, TestContext.Current.CancellationToken));

        Assert.Equal(
            "Memory ran out at iteration 2 with batch_size 8 and block_size 32: such a step needs about 1 MiB. "
            + "Lower batch_size and raise gradient_accumulation_steps (3) by the same factor: the result is the same.", error.Message);
        Assert.Equal(libtorch, error.InnerException!.Message);
        Assert.All(gpt.Network.parameters(), parameter => Assert.Null(parameter.grad));
    }

    [Fact]
    public void Memory_that_is_not_there_from_the_start_is_told_the_same_way()
    {
        // 2^30 tokens of 2^16 inner values of 4 bytes: more than an address can say, so no machine promises it.
        using var gpt = NanoGptRun.NewModel(Config with { NLayer = 1, NInner = 1 << 16 });
        var options = new TrainerOptions { OutDir = _folder.File("out"), BatchSize = 1 << 25, BlockSize = 32, GradientCheckpointing = true };

        var error = Assert.Throws<BackendException>(() => new Trainer(gpt, options).TrainOn(new NanoGptBatches(), null, TestContext.Current.CancellationToken));

        Assert.Contains("Memory ran out at iteration 0 with batch_size 33554432 and block_size 32: such a step needs about", error.Message, StringComparison.Ordinal);
        Assert.False(gpt.Network.RecomputesBlocks); // as it was
    }

    [Fact]
    public void Memory_that_runs_out_is_told_with_what_to_lower()
    {
        using var gpt = NanoGptRun.NewModel(Config);
        var batches = new NanoGptBatches { OnStep = place => { if (place.Iteration == 2) torch.empty(1L << 50).Dispose(); } }; // more than an address can say

        var error = Assert.Throws<BackendException>(() => new Trainer(gpt, new() { OutDir = _folder.File("out"), EvalIters = 1, BatchSize = 8 }).TrainOn(batches, null, TestContext.Current.CancellationToken));

        Assert.Matches(@"iteration 2 with batch_size 8 and block_size 32: such a step needs about \d+ MiB\. Lower batch_size and raise gradient_accumulation_steps", error.Message);
    }

    private static TrainerOptions Complete(TrainerOptions options) => RunStart.Complete(options, Config, DeviceType.CPU);

    /// <summary>As TorchSharp throws whatever libtorch does.</summary>
    private sealed class LibtorchException(string message) : ExternalException(message);
}
