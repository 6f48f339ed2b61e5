using NanoGpt.Training;

namespace NanoGpt.Tests.Training;

public sealed class CheckpointStoreTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Newest_are_kept_and_best_stays()
    {
        var store = new CheckpointStore(_folder.Path, keep: 2);

        Save(store, 10, isBest: false);
        Save(store, 20, isBest: true);
        Save(store, 30, isBest: false);
        Save(store, 40, isBest: false);

        Assert.Equal(["best", "ckpt-00000030", "ckpt-00000040"], Names());
        Assert.Equal("20", File.ReadAllText(_folder.File("best/model.safetensors")));
        Assert.False(File.Exists(_folder.File("best/optimizer.safetensors")));
        Assert.Null(CheckpointManifest.FindFault(_folder.File("best")));
        Assert.Equal("ckpt-00000040\n", File.ReadAllText(_folder.File("latest")));
        Assert.Equal(_folder.File("ckpt-00000040"), store.FindNewestWhole());
    }

    [Fact]
    public void Keep_0_keeps_all()
    {
        var store = new CheckpointStore(_folder.Path, keep: 0);
        for (var i = 1; i <= 5; i++) Save(store, i, isBest: false);

        Assert.Equal(5, Names().Length);
    }

    [Fact]
    public void Failed_save_leaves_the_earlier_checkpoints_and_nothing_else()
    {
        var store = new CheckpointStore(_folder.Path, keep: 2);
        Save(store, 10, isBest: true);

        var error = Assert.Throws<CheckpointException>(() => store.Save(20, isBest: true, folder =>
        {
            File.WriteAllText(Path.Combine(folder, "model.safetensors"), "half");
            throw new IOException("No space left on device");
        }));

        Assert.Contains("iteration 20", error.Message);
        Assert.Contains("No space left on device", error.Message);
        Assert.Equal(["best", "ckpt-00000010"], Names());
        Assert.Equal("10", File.ReadAllText(_folder.File("best/model.safetensors")));
        Assert.Empty(Directory.GetDirectories(_folder.Path, ".*"));
        Assert.Equal(_folder.File("ckpt-00000010"), store.FindNewestWhole());
    }

    [Fact]
    public void Damaged_newest_is_passed_over_and_named()
    {
        var store = new CheckpointStore(_folder.Path, keep: 2);
        Save(store, 10, isBest: false);
        Save(store, 20, isBest: false);
        File.Delete(_folder.File("ckpt-00000020/trainer.json"));
        var damaged = new List<string>();

        var found = store.FindNewestWhole((folder, fault) => damaged.Add($"{Path.GetFileName(folder)}: {fault}"));

        Assert.Equal(_folder.File("ckpt-00000010"), found);
        Assert.Equal(["ckpt-00000020: trainer.json is missing"], damaged);
    }

    [Fact]
    public void A_model_is_found_whatever_became_of_the_notes_of_its_training()
    {
        var folder = new CheckpointStore(_folder.Path, keep: 1).Save(20, isBest: true, folder =>
        {
            File.WriteAllText(Path.Combine(folder, "model.safetensors"), "20");
            File.WriteAllText(Path.Combine(folder, TrainerState.FileName), "{ from another version");
        });

        Assert.Equal(new Checkpoint(folder, 20, null), Checkpoint.FindNewest(_folder.Path));
        Assert.Equal(new Checkpoint(_folder.File("best"), 0, null), Checkpoint.FindBest(_folder.Path));
    }

    [Fact]
    public void Every_flipped_bit_of_a_small_checkpoint_is_seen()
    {
        var store = new CheckpointStore(_folder.Path, keep: 1);
        var folder = Save(store, 10, isBest: false);
        foreach (var file in Directory.GetFiles(folder))
        {
            var whole = File.ReadAllBytes(file);
            for (var bit = 0; bit < whole.Length * 8; bit++)
            {
                var flipped = (byte[])whole.Clone();
                flipped[bit / 8] ^= (byte)(1 << (bit % 8));
                File.WriteAllBytes(file, flipped);
                Assert.True(CheckpointManifest.FindFault(folder) is not null, $"bit {bit} of {Path.GetFileName(file)}");
            }

            File.WriteAllBytes(file, whole);
        }

        Assert.Null(CheckpointManifest.FindFault(folder));
    }

    [Fact]
    public void Every_truncation_of_a_small_checkpoint_is_seen()
    {
        var store = new CheckpointStore(_folder.Path, keep: 1);
        var folder = Save(store, 10, isBest: false);
        foreach (var file in Directory.GetFiles(folder))
        {
            var whole = File.ReadAllBytes(file);
            for (var length = 0; length < whole.Length; length++)
            {
                File.WriteAllBytes(file, whole[..length]);
                Assert.True(CheckpointManifest.FindFault(folder) is not null, $"{length} bytes of {Path.GetFileName(file)}");
            }

            File.WriteAllBytes(file, whole);
        }
    }

    [Fact]
    public void Leftovers_of_a_killed_process_go_and_a_best_that_stepped_aside_comes_back()
    {
        var store = new CheckpointStore(_folder.Path, keep: 2);
        Save(store, 10, isBest: true);
        Directory.Move(_folder.File("best"), _folder.File(".best.replaced"));
        Directory.CreateDirectory(_folder.File(".ckpt-00000020.1-a.partial"));
        File.WriteAllText(_folder.File(".ckpt-00000020.1-a.partial/model.safetensors"), "half");
        File.WriteAllText(_folder.File("latest.1-a.partial"), "ckpt");

        store.CleanLeftovers();

        Assert.Equal(["best", "ckpt-00000010"], Names());
        Assert.Equal(["latest"], Directory.GetFiles(_folder.Path).Select(Path.GetFileName));
        Assert.Empty(Directory.GetDirectories(_folder.Path, ".*"));
    }

    [Fact]
    public void Same_iteration_saved_again_replaces_the_first()
    {
        var store = new CheckpointStore(_folder.Path, keep: 2);
        Save(store, 10, isBest: false);
        File.WriteAllText(_folder.File("ckpt-00000010/model.safetensors"), "damaged");

        Save(store, 10, isBest: false);

        Assert.Equal(_folder.File("ckpt-00000010"), store.FindNewestWhole());
    }

    private static string Save(CheckpointStore store, int iteration, bool isBest) => store.Save(iteration, isBest, folder =>
    {
        File.WriteAllText(Path.Combine(folder, "model.safetensors"), iteration.ToString());
        File.WriteAllText(Path.Combine(folder, "optimizer.safetensors"), "moments");
        File.WriteAllText(Path.Combine(folder, "trainer.json"), "{}");
    });

    private string[] Names() =>
        [.. Directory.GetDirectories(_folder.Path).Select(path => Path.GetFileName(path)).Where(name => name[0] != '.').Order()];
}
