// The options that say which model a command works with, and how it is opened. Shared by sample, chat, eval and serve.

using NanoGpt.Hub;
using NanoGpt.Samples.CommandLine;
using NanoGpt.Samples.Terminal;

namespace NanoGpt.Samples.Commands;

internal sealed record ModelOptions
{
    /// <summary>The model: resume (the run in out_dir), a folder, a .pt file, a Hub id such as gpt2, or huggingface (then --model says which).</summary>
    public string InitFrom { get; init; } = "resume";

    /// <summary>The Hub id or folder that init_from=huggingface stands for.</summary>
    public string Model { get; init; } = "gpt2";

    /// <summary>The training run that init_from=resume opens.</summary>
    public string OutDir { get; init; } = "out";

    /// <summary>cpu, cuda, cuda:1 or mps. Text is generated on the CPU, by an engine of its own.</summary>
    public string Device { get; init; } = "cpu";

    /// <summary>Form of the weights: float32, bfloat16 or int8.</summary>
    public Dtype Dtype { get; init; } = Dtype.Float32;

    /// <summary>Accepted for nanoGPT's sake; there is nothing to compile here.</summary>
    public bool Compile { get; init; } = true;

    private string Where => InitFrom switch
    {
        "resume" when Directory.Exists(OutDir) => OutDir,
        "resume" => throw new UsageException($"{OutDir}: no such folder; out_dir is where train wrote its run. Without a run of your own: --init_from=gpt2."),
        "scratch" => throw new UsageException("init_from=scratch has no trained weights; that is for train. Give a folder or a Hub id."),
        "huggingface" => Model,
        _ => InitFrom,
    };

    /// <summary>The newest whole checkpoint where <paramref name="source"/> is a run's folder; else the same.</summary>
    public static string ModelIn(string source) => Directory.Exists(source) ? Checkpoint.FindNewest(source)?.Path ?? source : source;

    /// <summary>A short name for answers: the folder's or the Hub's.</summary>
    public string ModelName => Path.GetFileName(Path.TrimEndingDirectorySeparator(Where));

    /// <summary>Opens the model; a download shows its progress.</summary>
    public async Task<GPT> OpenAsync(Session session)
    {
        using var progress = new DownloadProgress(session.Status);
        return await GPT.FromPretrainedAsync(ModelIn(Where), new PretrainedOptions { Device = Device, Dtype = Dtype }, progress, session.Stop.Token);
    }
}

/// <summary>The Hub's reports as a progress bar.</summary>
internal sealed class DownloadProgress(Screen screen, string what = "downloading") : IProgress<HubProgress>, IDisposable
{
    private readonly ProgressBar bar = new(screen, what, Figures.Bytes);

    public void Report(HubProgress value) => bar.Report(value.BytesDone, value.BytesTotal ?? 0);

    public void Dispose() => bar.Dispose();
}
