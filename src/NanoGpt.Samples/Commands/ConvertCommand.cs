// Any model that can be opened, written as a Hugging Face folder that transformers opens too, or as nanoGPT's ckpt.pt.

using NanoGpt.Samples.CommandLine;
using NanoGpt.Samples.Terminal;

namespace NanoGpt.Samples.Commands;

internal sealed record ConvertOptions
{
    /// <summary>What to convert: nanoGPT's ckpt.pt, a model folder, a run's out_dir, or a Hub id.</summary>
    [Positional]
    public string Source { get; init; } = "";

    /// <summary>The folder to write.</summary>
    [Positional]
    public string Destination { get; init; } = "";

    /// <summary>What to write into it: huggingface (config.json, model.safetensors) or nanogpt (ckpt.pt); both with the tokenizer.</summary>
    public ModelForm To { get; init; } = ModelForm.HuggingFace;

    /// <summary>Largest weights file in MB; above it the weights are split.</summary>
    public long MaxShardMegabytes { get; init; } = 5000;

    /// <summary>Shortens the context to this many tokens.</summary>
    public int? BlockSize { get; init; }

    /// <summary>Leaves out tensors that GPT-2 does not have, such as another head's, instead of refusing the file.</summary>
    public bool IgnoreUnexpected { get; init; }
}

internal enum ModelForm
{
    HuggingFace,
    NanoGpt,
}

internal sealed class ConvertCommand : Command<ConvertOptions>
{
    public override string Name => "convert";

    public override string Summary => "a nanoGPT checkpoint into a Hugging Face folder, or back";

    public override IReadOnlyList<string> Examples => ["convert out/ckpt.pt my-model", "convert gpt2 out-gpt2 --to=nanogpt", "convert gpt2 gpt2-short --block_size=256"];

    public override string Remarks => "Nothing in a .pt file is run: it is read by a parser that knows tensors and plain values only.";

    protected override async Task RunAsync(ConvertOptions options, Session session)
    {
        if (options.Source.Length == 0 || options.Destination.Length == 0)
            throw Missing("two names are needed, what to convert and the folder to write");

        using var progress = new DownloadProgress(session.Status);
        var pretrained = new PretrainedOptions { BlockSize = options.BlockSize, IgnoreUnexpected = options.IgnoreUnexpected };
        using var gpt = await GPT.FromPretrainedAsync(ModelOptions.ModelIn(options.Source), pretrained, progress, session.Stop.Token);
        var note = options.To == ModelForm.NanoGpt ? gpt.SaveNanoGpt(options.Destination) : null;
        if (options.To == ModelForm.HuggingFace) gpt.SavePretrained(options.Destination, options.MaxShardMegabytes * 1_000_000);
        session.Output.Line($"{options.Destination}: {Figures.Short(gpt.Config.CountParameters())} parameters, "
            + $"{gpt.Config.NLayer} layers, context of {gpt.Config.BlockSize} tokens, vocabulary of {gpt.Config.VocabSize}");
        if (note is not null) session.Status.Line($"note: {note}");
    }
}
