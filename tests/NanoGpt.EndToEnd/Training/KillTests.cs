// Promise 7: whatever moment a training process dies at, the next one goes on as if nothing had been.

using System.Diagnostics;

namespace NanoGpt.EndToEnd.Training;

[Collection(nameof(TorchProcess))]
public sealed class KillTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("nanogpt-kill-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData(0)]
    [InlineData(0.1)]
    public async Task Killed_runs_go_on_as_if_nothing_had_been(double dropout)
    {
        var run = new SmallRun(dropout);
        var (random, aimed) = (TestLength.ChoosePart(1, 200), TestLength.ChoosePart(2, 100));
        var outDir = Path.Combine(_folder.FullName, "out");
        var dice = TestLength.Dice(7);
        var time = Stopwatch.StartNew();
        var lost = new List<int>();

        for (var kill = 0; kill < random + aimed; kill++)
        {
            var before = Directory.Exists(outDir) ? Checkpoint.FindNewest(outDir)?.Iteration ?? 0 : 0;
            using var process = run.StartProcess(outDir);
            var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
            var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
            await WaitForAStepAsync(process, outDir, after: before, output);
            if (kill >= random) await WaitForASaveAsync(outDir);
            else await Task.Delay(dice.Next(400), TestContext.Current.CancellationToken);
            if (kill >= random) Thread.SpinWait(dice.Next(200_000)); // somewhere inside it
            process.Kill();
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
            await Task.WhenAll(output, errors);

            var newest = Checkpoint.FindNewest(outDir);
            Assert.NotNull(newest);
            var done = SmallRun.Losses(outDir).Length;
            lost.Add(done - newest.Iteration);
            Assert.InRange(done - newest.Iteration, -1, 1); // save_interval is 1: at most the step that was not saved yet
        }

        run.MustEqualAnUndisturbedRun(outDir);
        Assert.Empty(Directory.GetDirectories(outDir + "-undisturbed", ".*"));
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{random} random and {aimed} aimed kills with dropout {dropout} over {Checkpoint.FindNewest(outDir)!.Iteration} steps in {SmallRun.Seconds(time.Elapsed)} s: all resumed, "
            + $"{lost.Count(steps => steps > 0)} had one step to do again, losses and weights identical to the undisturbed run.");
    }

    private static async Task WaitForAStepAsync(Process process, string outDir, int after, Task<string> output)
    {
        var limit = Stopwatch.StartNew();
        while (!Directory.Exists(outDir) || !Directory.EnumerateDirectories(outDir, "ckpt-*").Any(folder => int.Parse(Path.GetFileName(folder)[5..]) > after))
        {
            if (process.HasExited) Assert.Fail($"the process ended by itself:\n{await output}");
            Assert.True(limit.Elapsed < TimeSpan.FromMinutes(3), "no step within three minutes");
            await Task.Delay(5, TestContext.Current.CancellationToken);
        }
    }

    private static async Task WaitForASaveAsync(string outDir)
    {
        var limit = Stopwatch.StartNew();
        while (!Directory.EnumerateDirectories(outDir, ".ckpt-*").Any() && limit.Elapsed < TimeSpan.FromMinutes(1)) await Task.Yield();
    }
}
