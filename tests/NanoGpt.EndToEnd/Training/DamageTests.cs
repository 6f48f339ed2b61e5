// Promises 8 and 9: a checkpoint that is not as it was written is never trained on, and a disk that takes no more leaves
// the last good checkpoint as it is.

using System.Diagnostics;

namespace NanoGpt.EndToEnd.Training;

[Collection(nameof(TorchProcess))]
public sealed class DamageTests : IDisposable
{
    private readonly SmallRun _run = new(dropout: 0);
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("nanogpt-damage-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void Flipped_bits_and_truncations_fall_back_to_the_checkpoint_before()
    {
        var each = TestLength.ChoosePart(10, 1000);
        var outDir = Path.Combine(_folder.FullName, "out");
        _run.Train(SmallRun.Options(outDir, maxIters: 4) with { EvalInterval = 1000 });
        var newest = Checkpoint.FindNewest(outDir)!;
        var previous = Path.Combine(outDir, "ckpt-00000003");
        Assert.Equal(4, newest.Iteration);
        var files = Directory.GetFiles(newest.Path);
        var dice = TestLength.Dice(11);

        for (var i = 0; i < 2 * each; i++)
        {
            var file = files[dice.Next(files.Length)];
            var whole = File.ReadAllBytes(file);
            File.WriteAllBytes(file, i < each ? Flipped(whole, dice.Next(whole.Length * 8)) : whole[..dice.Next(whole.Length)]);

            Assert.Equal(previous, Checkpoint.FindNewest(outDir)!.Path);
            if (i % 20 == 0) MustResumeAt(3, outDir);
            File.WriteAllBytes(file, whole);
        }

        Assert.Equal(newest.Path, Checkpoint.FindNewest(outDir)!.Path);
    }

    [Fact]
    public void Damaged_checkpoint_that_is_asked_for_by_name_is_refused()
    {
        var outDir = Path.Combine(_folder.FullName, "out");
        _run.Train(SmallRun.Options(outDir, maxIters: 3));
        var file = Path.Combine(outDir, "ckpt-00000003", "model.safetensors");
        File.WriteAllBytes(file, Flipped(File.ReadAllBytes(file), 8 * 5000));
        using var gpt = _run.NewModel();
        using var data = SmallRun.NewData(gpt.Tokenizer);

        var error = Assert.Throws<CheckpointException>(() =>
            new Trainer(gpt, SmallRun.Options(outDir, 9) with { ResumeFrom = Path.GetDirectoryName(file) }).Train(data, null, TestContext.Current.CancellationToken));

        Assert.Contains("model.safetensors has SHA-256", error.Message);
    }

    [Fact]
    public async Task Full_disk_is_a_clear_error_and_keeps_the_last_checkpoint()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && CanMount(), "needs unshare and tmpfs, to fill a small disk");
        var disk = Path.Combine(_folder.FullName, "disk");
        var copy = Path.Combine(_folder.FullName, "copy");
        Directory.CreateDirectory(disk);

        // A checkpoint takes about 360 KB, best/ 140; two of both are there and one more while it is written. A disk with room for
        // them is filled by the metrics in the end.
        var size = TestLength.IsLong ? new[] { 500, 700, 900, 1100, 1300, 1500, 1700, 1900 } : [1200];
        foreach (var kilobytes in size)
        {
            if (Directory.Exists(copy)) Directory.Delete(copy, recursive: true);
            // The disk is seen by that process alone: what is on it at the end is copied out by the shell that mounted it.
            using var process = _run.StartProcess(
                Path.Combine(disk, "out"), $"mount -t tmpfs -o size={kilobytes}k none '{disk}' && trap '' TERM && {{ \"$@\"; cp -a '{disk}/out' '{copy}'; exit; }}");
            var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
            var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
            var said = await output + await errors;

            Assert.Contains("CheckpointException", said);
            Assert.Contains("No space left on device", said);
            var newest = Checkpoint.FindNewest(copy);
            if (newest is not null) MustResumeAt(newest.Iteration, copy);
            Assert.Empty(Directory.GetDirectories(copy, ".*"));
        }
    }

    [Fact]
    public async Task Read_only_folder_is_a_clear_error_and_keeps_the_last_checkpoint()
    {
        if (await ClosedFolders.IsTriedElsewhereAsync()) return;
        var outDir = Path.Combine(_folder.FullName, "out");
        using (new ClosedFolders(_folder.FullName))
        {
            var refused = Assert.Throws<CheckpointException>(() => _run.Train(SmallRun.Options(outDir, 9)));
            Assert.Contains($"{outDir}: the output folder cannot be used", refused.Message, StringComparison.Ordinal);
        }

        var closing = new ClosesAfter(3, outDir);
        var error = Assert.Throws<CheckpointException>(() => _run.Train(SmallRun.Options(outDir, 9), closing));
        Assert.Contains("denied", error.Message, StringComparison.Ordinal);
        Assert.Equal(3, Checkpoint.FindNewest(outDir)!.Iteration);
        Assert.Throws<CheckpointException>(() => _run.Train(SmallRun.Options(outDir, 9)));

        closing.Folder!.Dispose();
        MustResumeAt(3, outDir);
        Assert.Equal(9, _run.Train(SmallRun.Options(outDir, 8)).Iterations);
        Assert.Empty(Directory.GetDirectories(outDir, ".*"));
        _run.MustEqualAnUndisturbedRun(outDir);
    }

    [Fact]
    public void Folder_that_cannot_be_written_is_a_clear_error()
    {
        var file = Path.Combine(_folder.FullName, "file");
        File.WriteAllText(file, "not a folder");

        var error = Assert.Throws<CheckpointException>(() => _run.Train(SmallRun.Options(Path.Combine(file, "out"), 3)));

        Assert.Contains("output folder cannot be used", error.Message);
    }

    private void MustResumeAt(int iteration, string outDir)
    {
        var copy = outDir + "-resumed";
        if (Directory.Exists(copy)) Directory.Delete(copy, recursive: true);
        using var gpt = _run.NewModel();
        using var data = SmallRun.NewData(gpt.Tokenizer);
        var first = new FirstStep();
        new Trainer(gpt, SmallRun.Options(copy, iteration) with { ResumeFrom = outDir }).Train(data, first, TestContext.Current.CancellationToken);
        Assert.Equal(iteration, first.Iteration);
    }

    private static byte[] Flipped(byte[] bytes, int bit)
    {
        var flipped = (byte[])bytes.Clone();
        flipped[bit / 8] ^= (byte)(1 << (bit % 8));
        return flipped;
    }

    private static bool CanMount()
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo("unshare", ["-rm", "mount", "-t", "tmpfs", "none", "/mnt"]) { RedirectStandardError = true })!;
            process.WaitForExit();
            return process.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }

    /// <summary>Closes a folder when the checkpoint of a step has been written.</summary>
    private sealed class ClosesAfter(int iteration, string folder) : IProgress<TrainingProgress>
    {
        public ClosedFolders? Folder { get; private set; }

        public void Report(TrainingProgress value)
        {
            if (value.Event == TrainingEvent.Checkpoint && value.Iteration == iteration) Folder = new ClosedFolders(folder);
        }
    }

    private sealed class FirstStep : IProgress<TrainingProgress>
    {
        public int? Iteration { get; private set; }

        public void Report(TrainingProgress value)
        {
            if (value.Event == TrainingEvent.Iteration) Iteration ??= value.Iteration;
        }
    }
}
