// What is in a checkpoint: the model as a Hugging Face folder, AdamW's two moments as safetensors, and the run's state. How
// a folder becomes whole and is found again is CheckpointStore.cs.

using System.Globalization;
using NanoGpt.Formats;
using static TorchSharp.torch;

namespace NanoGpt.Training;

/// <summary>What a checkpoint says, beside the weights and moments that have gone to their places.</summary>
/// <param name="State">Where its run stood.</param>
/// <param name="Config">Its model.</param>
internal sealed record CheckpointContent(TrainerState State, GPTConfig Config);

/// <summary>Writes and reads the content of one checkpoint folder.</summary>
internal static class TrainingCheckpoint
{
    public static void Write(string folder, GPT gpt, FusedAdamW optimizer, TrainerState state)
    {
        gpt.SavePretrained(folder);
        OptimizerFile.Write(Path.Combine(folder, OptimizerFile.FileName), optimizer.ExportState());
        state.Write(folder);
    }

    /// <summary>Loads a checkpoint folder whose manifest has been checked; if it throws, nothing has changed.</summary>
    /// <exception cref="CheckpointException">The folder is not a checkpoint, or one of another model.</exception>
    public static CheckpointContent Read(string folder, GPTModel network, FusedAdamW optimizer)
    {
        using var scope = NewDisposeScope();
        var state = TrainerState.Read(folder);
        using var weights = ModelFolder.Open(folder);
        CheckShape(folder, weights.Config, network.Config);
        optimizer.ImportState(Cropped(OptimizerFile.Read(Path.Combine(folder, OptimizerFile.FileName)), network.Config));
        TorchWeights.CopyInto(network, weights.CropBlockSize(network.Config.BlockSize)); // lies in what weights owns
        return new CheckpointContent(state, weights.Config);
    }

    /// <summary>Loads nanoGPT's <c>ckpt.pt</c>; if it throws, nothing has changed.</summary>
    /// <exception cref="CheckpointException">It has no optimizer state, or is of another model.</exception>
    /// <exception cref="ModelFormatException">It is not a nanoGPT checkpoint.</exception>
    public static CheckpointContent ReadNanoGpt(string file, GPTModel network, FusedAdamW optimizer)
    {
        const double noBestYet = 1e9; // what train.py starts with
        using var scope = NewDisposeScope();
        using var checkpoint = NanoGptCheckpoint.Open(file);
        CheckShape(file, checkpoint.Config, network.Config);
        if (checkpoint.Optimizer is not { } state)
            throw new CheckpointException($"{file}: there is no optimizer state to go on with. Load it with GPT.FromPretrained and train without ResumeFrom.");

        var moments = state.Moments.Select(pair => new AdamWMoments(pair.Key, ToTensor(pair.Value.ExpAvg), ToTensor(pair.Value.ExpAvgSq)));
        optimizer.ImportState(Cropped(new AdamWState((long)state.Moments.Values.Max(m => m.Step), [.. moments]), network.Config));
        TorchWeights.CopyInto(network, checkpoint.Weights.CropBlockSize(network.Config.BlockSize));
        var iteration = checked((int)checkpoint.IterNum);
        var start = new TrainerState
        {
            Iteration = iteration,
            Best = checkpoint.BestValLoss is { } loss and < noBestYet ? (iteration, loss) : null,
            Seed = checkpoint.Settings.TryGetValue("seed", out var seed) && seed is long and >= int.MinValue and <= int.MaxValue ? (int)(long)seed : null,
        };
        return new CheckpointContent(start, checkpoint.Config);
    }

    private static unsafe Tensor ToTensor(WeightTensor weight)
    {
        var tensor = empty(weight.Shape.Count == 2 ? [weight.Rows, weight.Columns] : [weight.Columns], float32);
        fixed (byte* first = tensor.bytes) weight.CopyTo((float*)first);
        return tensor;
    }

    // As nanoGPT's crop_block_size, which leaves the moments as they were and fails at the first step.
    private static AdamWState Cropped(AdamWState state, GPTConfig config) => state with
    {
        Moments = [.. state.Moments.Select(m => m.Name != "wpe.weight" || m.ExpAvg.size(0) <= config.BlockSize ? m
            : m with { ExpAvg = m.ExpAvg.narrow(0, 0, config.BlockSize), ExpAvgSq = m.ExpAvgSq.narrow(0, 0, config.BlockSize) })],
    };

    private static void CheckShape(string source, GPTConfig found, GPTConfig expected)
    {
        if (Shape(found with { BlockSize = Math.Min(found.BlockSize, expected.BlockSize) }) == Shape(expected)) return;
        throw new CheckpointException(
            $"{source}: the checkpoint's model has {Shape(found)}; the one to go on with has {Shape(expected)}. "
            + "Open the checkpoint itself with GPT.FromPretrained and resume with that.");
    }

    // All that decides what the weights mean; dropout may change between runs.
    private static string Shape(GPTConfig c) => string.Create(CultureInfo.InvariantCulture,
        $"n_layer {c.NLayer}, n_head {c.NHead}, n_embd {c.NEmbd}, n_inner {c.InnerSize}, block_size {c.BlockSize}, vocab_size {c.VocabSize}, bias {c.Bias}, tied {c.TieWordEmbeddings}, {c.Activation}, epsilon {c.LayerNormEpsilon}");
}
