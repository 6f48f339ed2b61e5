// Promises 11 and 12: a run that is stopped at any moment goes on to the bit, and a long one takes no more memory than a
// short one.

using System.Diagnostics;
using TorchSharp;

namespace NanoGpt.EndToEnd.Training;

[Collection(nameof(TorchProcess))]
public sealed class LongRunTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("nanogpt-long-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData(0)]
    [InlineData(0.1)]
    public void Cancelled_runs_go_on_as_if_nothing_had_been(double dropout)
    {
        var run = new SmallRun(dropout);
        var stops = TestLength.ChoosePart(5, 200);
        var outDir = Path.Combine(_folder.FullName, "out");
        var dice = TestLength.Dice(13);

        for (var i = 0; i < stops; i++)
        {
            // Saves only when stopped; evaluations are long enough to be stopped in too.
            using var stop = new CancellationTokenSource();
            var steps = new StopAfter(stop, dice.Next(1, 12), TimeSpan.FromMilliseconds(dice.NextDouble() * 10));
            var result = run.Train(SmallRun.Options(outDir, 1_000_000) with { SaveInterval = 0, EvalInterval = 25 }, steps, stop);

            Assert.Equal(TrainingEnd.Cancelled, result.End);
            Assert.InRange(steps.StepsAfterTheStop, 0, 1);
            Assert.Equal(result.Iterations, Checkpoint.FindNewest(outDir)!.Iteration);
        }

        run.MustEqualAnUndisturbedRun(outDir);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0.1)]
    public void Garbage_collections_at_any_moment_change_nothing(double dropout)
    {
        var run = new SmallRun(dropout);
        // TorchSharp hands native code the handle of a Scalar that nothing refers to any more: where a collection falls into
        // such a call, its finalizer frees what the call still reads. Nothing in a step may use such a Scalar.
        var steps = TestLength.Choose(100, 2_000);
        var (quiet, noisy) = (Path.Combine(_folder.FullName, "quiet"), Path.Combine(_folder.FullName, "noisy"));
        using var end = new CancellationTokenSource();
        var collector = new Thread(() =>
        {
            while (!end.IsCancellationRequested)
            {
                GC.Collect(0);
                GC.WaitForPendingFinalizers();
            }
        });

        run.Train(SmallRun.Options(quiet, steps) with { SaveInterval = 0 });
        collector.Start();
        run.Train(SmallRun.Options(noisy, steps) with { SaveInterval = 0 });
        end.Cancel();
        collector.Join();

        Assert.Equal(SmallRun.Losses(quiet), SmallRun.Losses(noisy));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0.1)]
    public void Memory_stays_flat(double dropout)
    {
        var steps = TestLength.Choose(1_000, 10_000);
        var watch = new MemoryWatch(every: steps / 20);

        new SmallRun(dropout).Train(SmallRun.Options(Path.Combine(_folder.FullName, "out"), steps) with { SaveInterval = 100, EvalInterval = 100 }, watch);

        MustBeFlat(watch, $"{steps} steps with dropout {dropout}");
    }

    // Each of TorchSharp's modules leaves 64 bytes, this network of 28 of them about 2 KB (docs/decisions/014-own-linear-layer.md).
    [Theory]
    [InlineData(false, 1)]
    [InlineData(true, 2.5)]
    public void Loading_and_disposing_leaves_nothing(bool withNetwork, double megabytesPerThousand)
    {
        var times = TestLength.Choose(40, 4_000);
        var folder = Path.Combine(_folder.FullName, "model");
        using (var gpt = new SmallRun(dropout: 0).NewModel()) gpt.SavePretrained(folder);
        var watch = new MemoryWatch(every: times / 20);

        for (var i = 0; i <= times; i++)
        {
            using (var gpt = GPT.FromPretrained(folder))
            {
                if (withNetwork) _ = gpt.Network;
                else _ = gpt.Generate("The lamp", new() { MaxNewTokens = 2, Seed = i });
            }

            watch.Look(i);
        }

        MustBeFlat(watch, $"{times} models loaded and disposed, {(withNetwork ? "their networks" : "their engines")} used", megabytesPerThousand);
    }

    private static void MustBeFlat(MemoryWatch watch, string what, double megabytesPerThousand = 1)
    {
        var (tensors, perThousand) = (watch.Tensors, watch.MegabytesPerThousand);
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{what}: tensors +{tensors[^1] - tensors[0]}, resident memory {perThousand:+0.00;-0.00} MB per 1,000 ({string.Join(' ', watch.Resident.Select(bytes => bytes / 1_000_000))} MB)");
        Assert.Equal(tensors[0], tensors[^1]);
        if (TestLength.IsLong) Assert.InRange(perThousand, -1000, megabytesPerThousand); // the short form is too short to tell a slope from a page of the heap
    }

    private sealed class StopAfter(CancellationTokenSource stop, int steps, TimeSpan then) : IProgress<TrainingProgress>
    {
        private int _steps;

        public int StepsAfterTheStop { get; private set; }

        public void Report(TrainingProgress value)
        {
            if (value.Event != TrainingEvent.Iteration) return;
            if (stop.IsCancellationRequested) StepsAfterTheStop++;
            else if (++_steps == steps) stop.CancelAfter(then);
        }
    }

    /// <summary>Looks at memory in even steps; the first half is warm-up.</summary>
    private sealed class MemoryWatch(int every) : IProgress<TrainingProgress>
    {
        private readonly List<(int At, long Tensors, long Resident)> _seen = [];

        public IReadOnlyList<long> Tensors => [.. _seen.Skip(_seen.Count / 2).Select(look => look.Tensors)];

        public IReadOnlyList<long> Resident => [.. _seen.Select(look => look.Resident)];

        /// <summary>The slope of a straight line through what was seen after warm-up.</summary>
        public double MegabytesPerThousand
        {
            get
            {
                var seen = _seen.Skip(_seen.Count / 2).Select(look => (X: look.At / 1000.0, Y: look.Resident / 1e6)).ToList();
                var (x, y) = (seen.Average(look => look.X), seen.Average(look => look.Y));
                return seen.Sum(look => (look.X - x) * (look.Y - y)) / seen.Sum(look => (look.X - x) * (look.X - x));
            }
        }

        public void Look(int at)
        {
            if (at % every != 0) return;
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            GC.WaitForPendingFinalizers();
            using var process = Process.GetCurrentProcess();
            _seen.Add((at, DisposeScopeManager.Statistics.ThreadTotalLiveCount, process.WorkingSet64));
        }

        public void Report(TrainingProgress value)
        {
            if (value.Event == TrainingEvent.Iteration) Look(value.Iteration);
        }
    }
}
