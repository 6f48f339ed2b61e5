// kill -9 of a process that saves one model over another, again and again: whenever it dies, the folder holds one of them.

using System.Diagnostics;
using NanoGpt.Formats;

namespace NanoGpt.EndToEnd.Formats;

public sealed class SaveKillTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_killed_save_leaves_the_old_model_or_the_new_one()
    {
        var random = new Random(1);
        var kills = TestLength.Choose(10, 200);
        var folder = Directory.CreateTempSubdirectory("nanogpt-kill-").FullName;
        try
        {
            var opened = new int[2];
            for (var i = 0; i < kills; i++)
            {
                using (var victim = SaveChild.Start(folder))
                {
                    await victim.StandardOutput.ReadLineAsync(Cancellation); // the first save is done
                    await Task.Delay(random.Next(400), Cancellation);
                    Assert.False(victim.HasExited, "the saving process ended by itself");
                    victim.Kill();
                    await victim.WaitForExitAsync(Cancellation);
                }

                opened[SaveChild.Check(folder)]++;
            }

            SaveChild.SaveOnce(folder, 0);
            Assert.Equal(["config.json", "generation_config.json", "model.safetensors"], // no leftovers after the next save
                Directory.GetFileSystemEntries(folder).Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal));
            TestContext.Current.TestOutputHelper?.WriteLine($"{kills} kills: {opened[0]} times the one model, {opened[1]} times the other");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}

/// <summary>The process that is killed, and the two models it saves: every number of the first is 1, of the second 2.</summary>
internal static unsafe class SaveChild
{
    private static readonly GPTConfig[] Configs =
    [
        new() { NLayer = 2, NHead = 2, NEmbd = 64, BlockSize = 32, VocabSize = 500 },
        new() { NLayer = 3, NHead = 1, NEmbd = 48, BlockSize = 16, VocabSize = 300, Bias = false, TieWordEmbeddings = false },
    ];

    public static Process Start(string folder)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true };
        if (Path.GetFileNameWithoutExtension(start.FileName) == "dotnet") start.ArgumentList.Add(typeof(SaveChild).Assembly.Location);
        foreach (var argument in (string[])["child", "save", folder]) start.ArgumentList.Add(argument);
        return Process.Start(start)!;
    }

    public static int Run(string folder)
    {
        for (var i = 0; ; i++)
        {
            SaveOnce(folder, i % 2);
            if (i == 0) Console.WriteLine("saved");
        }
    }

    public static void SaveOnce(string folder, int which)
    {
        var numbers = Enumerable.Repeat(which + 1f, 500 * 64).ToArray(); // as many as the largest tensor has
        fixed (float* data = numbers)
        {
            var tensors = new Dictionary<string, WeightTensor>();
            foreach (var (name, shape) in GPTWeights.Expected(Configs[which]))
                tensors.Add(name, new WeightTensor(name, TensorType.F32, shape, isInOut: false, (byte*)data));
            using var weights = new GPTWeights(Configs[which], tensors);
            ModelFolder.Save(folder, Configs[which], weights, maxShardSize: which == 0 ? long.MaxValue : 50_000);
        }
    }

    /// <summary>Which of the two models the folder holds; fails if it is neither, or a mixture.</summary>
    public static int Check(string folder)
    {
        using var weights = ModelFolder.Open(folder);
        var which = Array.IndexOf(Configs, weights.Config);
        Assert.True(which >= 0, "the config is neither model's");
        foreach (var tensor in weights.Tensors.Values)
            for (var i = 0L; i < tensor.ElementCount; i++) Assert.Equal(which + 1f, tensor.ReadElement(i));
        return which;
    }
}
