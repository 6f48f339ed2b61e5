using NanoGpt.IO;

namespace NanoGpt.Tests.IO;

public sealed class AtomicFolderTests
{
    [Fact]
    public void A_writer_that_fails_changes_nothing()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.File("a"), "old");

        Assert.Throws<InvalidDataException>(() => AtomicFolder.Write(folder.Path, ["a"], staging =>
        {
            File.WriteAllText(Path.Combine(staging, "a"), "new");
            throw new InvalidDataException();
        }));

        Assert.Equal(["a"], Directory.GetFileSystemEntries(folder.Path).Select(path => Path.GetFileName(path)!));
        Assert.Equal("old", File.ReadAllText(folder.File("a")));
    }

    [Fact]
    public void A_commit_that_was_interrupted_at_any_step_is_finished_by_the_next_opening()
    {
        // The committed state, made by hand: a new 'a' and 'b', and 'c' to go. Each step of the move may have been the last.
        string[] steps = ["", "delete c", "move a", "move b", "delete list"];
        for (var done = 0; done < steps.Length; done++)
        {
            using var folder = new TemporaryFolder();
            foreach (var name in new[] { "a", "c", "other" }) File.WriteAllText(folder.File(name), "old");
            Directory.CreateDirectory(folder.File(".saved"));
            foreach (var name in new[] { "a", "b" }) File.WriteAllText(folder.File(".saved", name), "new");
            File.WriteAllText(folder.File(".saved", ".obsolete"), "c");
            if (done >= 1) File.Delete(folder.File("c"));
            if (done >= 2) File.Move(folder.File(".saved", "a"), folder.File("a"), overwrite: true);
            if (done >= 3) File.Move(folder.File(".saved", "b"), folder.File("b"));
            if (done >= 4) File.Delete(folder.File(".saved", ".obsolete"));

            AtomicFolder.Recover(folder.Path);

            Assert.Equal(
                ["a:new", "b:new", "other:old"],
                Directory.GetFileSystemEntries(folder.Path).Order().Select(path => $"{Path.GetFileName(path)}:{File.ReadAllText(path)}"));
        }
    }

    [Fact]
    public void What_a_killed_writer_left_goes_with_the_next_write_and_what_a_living_one_holds_stays()
    {
        using var folder = new TemporaryFolder();
        var dead = folder.File(".saving-1-dead.partial");
        var alive = folder.File(".saving-2-alive.partial");
        Directory.CreateDirectory(dead);
        Directory.CreateDirectory(alive);
        File.WriteAllText(Path.Combine(dead, ".lock"), "");
        using var held = new FileStream(Path.Combine(alive, ".lock"), FileMode.CreateNew, FileAccess.Write, FileShare.None);

        AtomicFolder.Write(folder.Path, [], staging => File.WriteAllText(Path.Combine(staging, "a"), "new"));

        Assert.False(Directory.Exists(dead));
        Assert.True(Directory.Exists(alive));
        Assert.Equal("new", File.ReadAllText(folder.File("a")));
    }

    [Fact]
    public void An_obsolete_name_never_leaves_the_folder()
    {
        using var folder = new TemporaryFolder();
        var inner = folder.File("inner");
        File.WriteAllText(folder.File("precious"), "old");

        AtomicFolder.Write(inner, ["../precious"], _ => { });

        Assert.True(File.Exists(folder.File("precious")));
    }
}
