// Which checkpoint of an output folder to take: the newest that is whole, or the best. What is in one is written and read by
// Training/; a checkpoint's path can be given to GPT.FromPretrained and to TrainerOptions.ResumeFrom.

using NanoGpt.Formats;
using NanoGpt.Training;

namespace NanoGpt;

/// <summary>A checkpoint of a training run. Immutable.</summary>
/// <param name="Path">Its folder, or nanoGPT's <c>ckpt.pt</c>: what <see cref="GPT.FromPretrained"/> opens.</param>
/// <param name="Iteration">Steps done; 0 where neither the folder's name nor its trainer.json says.</param>
/// <param name="BestValLoss">The lowest validation loss of the run until then; null where there was no evaluation, or trainer.json can't be read.</param>
public sealed record Checkpoint(string Path, int Iteration, double? BestValLoss)
{
    private static readonly Dictionary<string, object?> NoOptions = [];

    /// <summary>The run's options as they were given, for <see cref="TrainerOptions.With"/>; empty for a <c>.pt</c> file.</summary>
    public IReadOnlyDictionary<string, object?> Options { get; init; } = NoOptions;

    /// <summary>Where the training text came from: the path of its <c>train.bin</c>, or the text's; null where that is not known.</summary>
    public string? Data { get; init; }

    /// <summary>The newest checkpoint in an output folder whose files are all as they were written, or null where there is none.</summary>
    /// <param name="outDir">The <see cref="TrainerOptions.OutDir"/> of a run, or of a nanoGPT run (with its <c>ckpt.pt</c>).</param>
    public static Checkpoint? FindNewest(string outDir)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(outDir);
        if (new CheckpointStore(outDir, keep: 0).FindNewestWhole() is { } folder) return Open(folder);
        var file = System.IO.Path.Combine(outDir, NanoGptCheckpoint.FileName);
        return File.Exists(file) ? new Checkpoint(file, 0, null) : null;
    }

    /// <summary>The model with the lowest validation loss in an output folder, or null where there is none that is whole.</summary>
    /// <param name="outDir">The <see cref="TrainerOptions.OutDir"/> of a run.</param>
    public static Checkpoint? FindBest(string outDir)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(outDir);
        var folder = System.IO.Path.Combine(outDir, CheckpointStore.Best);
        return Directory.Exists(folder) && CheckpointManifest.FindFault(folder) is null ? Open(folder) : null;
    }

    // The model of a checkpoint is good whatever became of the notes beside it: only resuming needs them.
    private static Checkpoint Open(string folder)
    {
        try
        {
            var state = TrainerState.Read(folder);
            return new Checkpoint(folder, state.Iteration, state.Best?.Loss) { Options = state.Options, Data = state.Data };
        }
        catch (CheckpointException)
        {
            return new Checkpoint(folder, CheckpointStore.IterationOf(folder), null);
        }
    }
}
