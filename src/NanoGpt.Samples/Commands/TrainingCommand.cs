// What train and finetune do: options become a model, a dataset and a view; the loop is the library's Trainer. The options
// are those of nanoGPT's train.py, by its names.

using System.Text;
using NanoGpt.Data;
using NanoGpt.Samples.CommandLine;
using NanoGpt.Samples.Terminal;

namespace NanoGpt.Samples.Commands;

internal record TrainOptions
{
    /// <summary>scratch, resume (the run in out_dir), a folder, a .pt file, a Hub id such as gpt2, or huggingface (then --model says which).</summary>
    public string InitFrom { get; init; } = "scratch";

    /// <summary>The Hub id or folder that init_from=huggingface stands for.</summary>
    public string Model { get; init; } = "gpt2";

    /// <summary>The folder data/DATASET that prepare wrote, or any folder with train.bin and val.bin.</summary>
    public string Dataset { get; init; } = "openwebtext";

    /// <summary>Blocks of a model from scratch.</summary>
    public int NLayer { get; init; } = 12;

    /// <summary>Attention heads in each block of a model from scratch.</summary>
    public int NHead { get; init; } = 12;

    /// <summary>Width of a model from scratch.</summary>
    public int NEmbd { get; init; } = 768;

    /// <summary>Dropout in all three places, while training.</summary>
    public double Dropout { get; init; }

    /// <summary>Whether a model from scratch has biases.</summary>
    public bool Bias { get; init; }

    [Without(nameof(TrainerOptions.ResumeFrom))]
    public TrainerOptions Trainer { get; init; } = new();

    /// <summary>What texts drawn during training begin with; empty for none.</summary>
    public string SampleStart { get; init; } = "";

    /// <summary>Tokens of a text drawn during training.</summary>
    public int SampleTokens { get; init; } = 100;

    /// <summary>In a terminal, show a live view instead of each iteration's log line.</summary>
    public bool Live { get; init; } = true;

    /// <summary>Accepted for nanoGPT's sake; there is nothing to compile here.</summary>
    public bool Compile { get; init; } = true;

    /// <summary>Accepted for nanoGPT's sake; one process trains on one device here.</summary>
    public string Backend { get; init; } = "nccl";

    /// <summary>Accepted for nanoGPT's sake; TensorBoard files and metrics.jsonl are written instead.</summary>
    public bool WandbLog { get; init; }

    /// <summary>Accepted for nanoGPT's sake.</summary>
    public string WandbProject { get; init; } = "owt";

    /// <summary>Accepted for nanoGPT's sake.</summary>
    public string WandbRunName { get; init; } = "gpt2";

    /// <summary>The folder itself if there is one of that name, else the one in data/.</summary>
    public static string DatasetFolder(string dataset) => Directory.Exists(dataset) ? dataset : Path.Combine("data", dataset);
}

internal abstract class TrainingCommand<TOptions> : Command<TOptions> where TOptions : TrainOptions, new()
{
    // nanoGPT's vocabulary where the dataset does not say: GPT-2's 50257 rounded up to a multiple of 64.
    private const int RoundedGpt2Vocabulary = 50304;

    public override bool TakesConfigFiles => true;

    public override string Remarks =>
        "Options in config files come first, those on the command line win; a resumed run keeps those it had. Ctrl-C ends the run\n"
        + "with a checkpoint; a second one at once.";

    protected override async Task RunAsync(TOptions given, Session session)
    {
        Announce(given, session);
        var options = given.InitFrom == "resume" ? AsBefore(given, session) : given;
        using var data = TokenDataset.Open(TrainOptions.DatasetFolder(options.Dataset));
        using var gpt = await OpenModelAsync(options, data, session);

        var view = new TrainingView(session.Output, session.Status, isLive: session.Output.IsTerminal && options.Live);
        using var onStop = session.Stop.Token.Register(() => view.Say("ending with a checkpoint; Ctrl-C again ends at once"));
        var fits = session.Given.Contains("block_size") || options.Trainer.BlockSize <= gpt.Config.BlockSize;
        var trainer = new Trainer(gpt, fits ? options.Trainer : options.Trainer with { BlockSize = null }) { DrawSample = Sampler(options, session.Stop.Token) };
        var result = await trainer.TrainAsync(data, view, session.Stop.Token);
        if (result is { End: TrainingEnd.Cancelled or TrainingEnd.OutOfTime, Checkpoint: not null })
            view.Say($"to go on: nanogpt {Name} --init_from=resume --out_dir={options.Trainer.OutDir}");
    }

    /// <summary>A resumed run has the options and the dataset that it had, where the user doesn't say otherwise.</summary>
    private static TrainOptions AsBefore(TrainOptions options, Session session)
    {
        var trainer = options.Trainer with { ResumeFrom = options.Trainer.OutDir };
        var checkpoint = Checkpoint.FindNewest(trainer.OutDir)
            ?? throw new UsageException($"{trainer.OutDir}: there is no checkpoint to resume from; was out_dir another, or did the run end before its first one?");
        foreach (var (name, value) in checkpoint.Options)
        {
            if (name is not ("out_dir" or "resume_from") && TrainerOptions.Names.Contains(name) && !session.Given.Contains(name))
                trainer = trainer.With(name, value);
        }

        var folder = Path.GetDirectoryName(checkpoint.Data);
        var hasFolder = !session.Given.Contains("dataset") && File.Exists(checkpoint.Data);
        return options with { Trainer = trainer, InitFrom = checkpoint.Path, Dataset = hasFolder ? folder! : options.Dataset };
    }

    private static async Task<GPT> OpenModelAsync(TrainOptions options, TokenDataset data, Session session)
    {
        const string device = "cpu"; // the Trainer moves the model to where it is to be trained
        if (options.InitFrom == "scratch") return new GPT(FromScratch(options, data), data.Tokenizer, options.Trainer.Seed, device);

        using var progress = new DownloadProgress(session.Status);
        var source = options.InitFrom == "huggingface" ? options.Model : options.InitFrom;
        var isResumed = options.Trainer.ResumeFrom is not null;
        var dropout = isResumed && !session.Given.Contains("dropout") ? (double?)null : options.Dropout; // as nanoGPT, not as config.json
        var gpt = await GPT.FromPretrainedAsync(source, new PretrainedOptions { Device = device, Dropout = dropout }, progress, session.Stop.Token);
        if (options.Trainer.BlockSize < gpt.Config.BlockSize) gpt.CropBlockSize(options.Trainer.BlockSize.Value);
        SayContradictions(options, gpt.Config, source, session);
        return gpt;
    }

    private static GPTConfig FromScratch(TrainOptions options, TokenDataset data) => new()
    {
        VocabSize = data.VocabSize ?? RoundedGpt2Vocabulary,
        BlockSize = options.Trainer.BlockSize ?? 1024,
        NLayer = options.NLayer,
        NHead = options.NHead,
        NEmbd = options.NEmbd,
        Bias = options.Bias,
        Activation = ActivationFunction.Gelu, // exact, as nanoGPT's model.py
        EmbeddingDropout = options.Dropout,
        AttentionDropout = options.Dropout,
        ResidualDropout = options.Dropout,
    };

    /// <summary>Draws a text; when the run is to end, as much of it as there is.</summary>
    private static Func<GPT, string>? Sampler(TrainOptions options, CancellationToken stop) => options.SampleStart.Length == 0 ? null : gpt =>
    {
        var text = new StringBuilder(options.SampleStart);
        try
        {
            foreach (var piece in gpt.GenerateStreaming(options.SampleStart, new() { MaxNewTokens = options.SampleTokens, Seed = options.Trainer.Seed }, stop)) text.Append(piece);
        }
        catch (OperationCanceledException)
        {
            // The Trainer ends the run with a checkpoint.
        }

        return text.ToString();
    };

    /// <summary>Options of nanoGPT that mean something else here are said once, not silently dropped.</summary>
    private static void Announce(TrainOptions options, Session session)
    {
        if (options.WandbLog) session.Status.Line("wandb_log: there is no wandb for .NET; TensorBoard files and metrics.jsonl are written instead.");
        if (session.Given.Contains("compile") && options.Compile) session.Status.Line("compile: nothing to compile here; the fast paths are always on.");
        if (session.Given.Contains("backend")) session.Status.Line("backend: one process trains on one device here.");
    }

    /// <summary>The shape comes from the checkpoint: an option that says otherwise is named, as nanoGPT drops it silently.</summary>
    private static void SayContradictions(TrainOptions options, GPTConfig config, string source, Session session)
    {
        foreach (var (name, asked, found) in new (string, object, object)[]
        {
            ("n_layer", options.NLayer, config.NLayer), ("n_head", options.NHead, config.NHead), ("n_embd", options.NEmbd, config.NEmbd),
            ("bias", options.Bias, config.Bias),
        })
        {
            if (session.Given.Contains(name) && !asked.Equals(found))
                session.Status.Line(session.Status.Paint(Ink.Yellow, $"{name}={asked} is not used: {source} has {found}."));
        }
    }
}
