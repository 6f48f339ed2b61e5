// Promises 11 and 12: a run that is stopped at any moment goes on to the bit, and a long one takes no more memory than a
// short one.

using System.Diagnostics;
using TorchSharp;

namespace NanoGpt.EndToEnd.Training;

public sealed class LongRunTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("nanogpt-long-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void Cancelled_runs_go_on_as_if_nothing_had_been()
    {
        var stops = TestLength.ChoosePart(8, 200);
        var outDir = Path.Combine(_folder.FullName, "out");
        var dice = TestLength.Dice(13);

        for (var i = 0; i < stops; i++)
        {
            // Saves only when stopped; evaluations are long enough to be stopped in too.
            using var stop = new CancellationTokenSource();
            var steps = new StopAfter(stop, dice.Next(1, 12), TimeSpan.FromMilliseconds(dice.NextDouble() * 10));
            var result = SmallRun.Train(SmallRun.Options(outDir, 1_000_000) with { SaveInterval = 0, EvalInterval = 25 }, steps, stop);

            Assert.Equal(TrainingEnd.Cancelled, result.End);
            Assert.InRange(steps.StepsAfterTheStop, 0, 1);
            Assert.Equal(result.Iterations, Checkpoint.FindNewest(outDir)!.Iteration);
        }

        SmallRun.MustEqualAnUndisturbedRun(outDir);
    }

    [Fact]
    public void Memory_stays_flat()
    {
        var steps = TestLength.Choose(1_000, 10_000);
        var warmUp = steps / 5;
        var watch = new MemoryWatch(warmUp);

        SmallRun.Train(SmallRun.Options(Path.Combine(_folder.FullName, "out"), steps - 1) with { SaveInterval = 100, EvalInterval = 100 }, watch);

        Assert.Equal(watch.TensorsAfterWarmUp, watch.Tensors);
        var perThousand = (watch.Resident - watch.ResidentAfterWarmUp) / 1e6 / ((steps - warmUp) / 1000.0);
        TestContext.Current.TestOutputHelper?.WriteLine($"{steps} steps: tensors +0, resident memory {perThousand:+0.00;-0.00} MB per 1,000 steps");
        if (TestLength.IsLong) Assert.InRange(perThousand, -1000, 1.0); // the short form is too short to tell a slope from a page of the heap
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

    private sealed class MemoryWatch(int warmUp) : IProgress<TrainingProgress>
    {
        public long TensorsAfterWarmUp { get; private set; }

        public long ResidentAfterWarmUp { get; private set; }

        public long Tensors { get; private set; }

        public long Resident { get; private set; }

        public void Report(TrainingProgress value)
        {
            if (value.Event != TrainingEvent.Iteration || (value.Iteration != warmUp && value.Iteration != value.MaxIters)) return;
            GC.Collect();
            GC.WaitForPendingFinalizers();
            using var process = Process.GetCurrentProcess();
            (Tensors, Resident) = (DisposeScopeManager.Statistics.ThreadTotalLiveCount, process.WorkingSet64);
            if (value.Iteration == warmUp) (TensorsAfterWarmUp, ResidentAfterWarmUp) = (Tensors, Resident);
        }
    }
}
