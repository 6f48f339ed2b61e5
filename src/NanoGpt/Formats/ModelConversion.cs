// A model from one form on disk to another: what the convert command calls. Opening is ModelFolder, writing is its Save and
// NanoGptExport; this only joins them.

namespace NanoGpt.Formats;

/// <summary>Converts models between Hugging Face folders and nanoGPT checkpoints without loading them into memory.</summary>
/// <remarks>Safe to call from several threads, as long as no two write the same folder.</remarks>
public static class ModelConversion
{
    /// <summary>Writes a model as a Hugging Face folder: config.json, generation_config.json, model.safetensors or shards.</summary>
    /// <param name="source">A nanoGPT ckpt.pt, a folder with one, or a Hugging Face folder.</param>
    /// <param name="folder">The folder to write; files of it that are not the model's stay.</param>
    /// <param name="maxShardSize">The most bytes of tensors in one file.</param>
    /// <exception cref="ModelFormatException">The source is missing, broken, or no GPT-2.</exception>
    /// <exception cref="CheckpointException">The folder could not be written.</exception>
    public static void ToHuggingFace(string source, string folder, long maxShardSize = ModelFolder.DefaultMaxShardSize)
    {
        using var weights = ModelFolder.Open(source);
        ModelFolder.Save(folder, weights.Config, weights, maxShardSize);
    }

    /// <summary>Writes a model as nanoGPT's ckpt.pt, which its train.py resumes from and its sample.py samples from.</summary>
    /// <param name="source">A Hugging Face folder, a nanoGPT ckpt.pt, or a folder with one.</param>
    /// <param name="folder">The folder to write ckpt.pt into: nanoGPT's out_dir.</param>
    /// <returns>What a user should know about how nanoGPT will differ, or null.</returns>
    /// <exception cref="ModelFormatException">The source is missing, broken, or no GPT-2.</exception>
    /// <exception cref="ArgumentException">nanoGPT cannot compute this model.</exception>
    /// <exception cref="CheckpointException">The checkpoint could not be written.</exception>
    public static string? ToNanoGpt(string source, string folder)
    {
        using var weights = ModelFolder.Open(source);
        return NanoGptExport.Save(folder, weights.Config, weights);
    }
}
