// What is in a checkpoint: the model as a Hugging Face folder, AdamW's two moments as safetensors, and the run's state. How
// a folder becomes whole and is found again is CheckpointStore.cs.

using NanoGpt.Formats;
using static TorchSharp.torch;

namespace NanoGpt.Training;

/// <summary>Writes and reads the content of one checkpoint folder.</summary>
internal static class TrainingCheckpoint
{
    public static void Write(string folder, GPT gpt, FusedAdamW optimizer, TrainerState state)
    {
        gpt.SavePretrained(folder);
        OptimizerFile.Write(Path.Combine(folder, OptimizerFile.FileName), optimizer.ExportState());
        state.Write(folder);
    }

    /// <summary>Loads a checkpoint into a model and an optimizer; if it throws, neither has changed.</summary>
    /// <exception cref="CheckpointException">The folder is not a whole checkpoint, or one of another model.</exception>
    public static TrainerState Read(string folder, GPTModel network, FusedAdamW optimizer)
    {
        if (CheckpointManifest.FindFault(folder) is { } fault) throw new CheckpointException($"{folder}: not a whole checkpoint: {fault}.");

        var state = TrainerState.Read(folder);
        using var weights = ModelFolder.Open(folder);
        CheckShape(folder, weights.Config, network.Config);
        using (NewDisposeScope())
            optimizer.ImportState(OptimizerFile.Read(Path.Combine(folder, OptimizerFile.FileName)));
        TorchWeights.CopyInto(network, weights);
        return state;
    }

    public static void CheckShape(string source, GPTConfig found, GPTConfig expected)
    {
        if (Shape(found) == Shape(expected)) return;
        throw new CheckpointException(
            $"{source}: the checkpoint's model has {Shape(found)}; the one to go on with has {Shape(expected)}. "
            + "Open the checkpoint itself with GPT.FromPretrained and resume with that.");
    }

    private static string Shape(GPTConfig c) =>
        $"n_layer {c.NLayer}, n_head {c.NHead}, n_embd {c.NEmbd}, n_inner {c.InnerSize}, block_size {c.BlockSize}, "
        + $"vocab_size {c.VocabSize}, bias {c.Bias}, tied {c.TieWordEmbeddings}";
}
