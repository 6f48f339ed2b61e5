// Turns text into a dataset: train.bin, val.bin and the vocabulary, as nanoGPT's prepare.py files do.

using NanoGpt.Data;
using NanoGpt.Samples.CommandLine;
using NanoGpt.Samples.Terminal;
using NanoGpt.Tokenization;

namespace NanoGpt.Samples.Commands;

internal sealed record PrepareOptions
{
    /// <summary>Its name: shakespeare, shakespeare_char, openwebtext, or one of your own. A name that ends in _char gets a vocabulary of characters.</summary>
    [Positional]
    public string Dataset { get; init; } = "shakespeare_char";

    /// <summary>A .txt, .jsonl or .parquet file, or a folder of them; without it, a known dataset is downloaded.</summary>
    public string? Input { get; init; }

    /// <summary>Where it goes; by default data/ and the dataset's name, in the current folder.</summary>
    public string? OutDir { get; init; }

    /// <summary>A model folder whose vocabulary is used; by default GPT-2's.</summary>
    public string? Tokenizer { get; init; }

    /// <summary>The part of the documents kept for validation; by default 0.0005 for openwebtext, else 0.1.</summary>
    public double? ValFraction { get; init; }

    /// <summary>Chooses the documents for validation.</summary>
    public int Seed { get; init; } = 2357;
}

internal sealed class PrepareCommand : Command<PrepareOptions>
{
    public override string Name => "prepare";

    public override string Summary => "turn text into a dataset to train on";

    public override IReadOnlyList<string> Examples =>
    [
        "prepare shakespeare_char", "prepare shakespeare --input=input.txt", "prepare mybook --input=mybook.txt",
        "prepare chats --input=chats.jsonl", "prepare openwebtext --input=parquet/",
    ];

    public override string Remarks =>
        "A .txt file keeps its last tenth for validation. Each line of a .jsonl file is {\"text\": ...}, or\n"
        + "{\"prompt\": ..., \"response\": ...}: then only the response is learned. A .parquet file has these as columns.";

    protected override async Task RunAsync(PrepareOptions options, Session session)
    {
        var documents = options.Input is null ? null : ParquetDocuments.TryOpen(options.Input);
        var preparation = new PreparationOptions
        {
            Dataset = options.Dataset,
            Input = documents is null ? options.Input : null,
            Documents = documents,
            OutDir = options.OutDir,
            Tokenizer = options.Tokenizer is null ? null : Tokenizer.Load(options.Tokenizer),
            ValFraction = options.ValFraction,
            Seed = options.Seed,
        };

        PreparedDataset made;
        using (var progress = new PreparationBar(session.Status))
            made = await DatasetPreparation.PrepareAsync(preparation, progress, session.Stop.Token);

        session.Output.Line($"train has {Figures.Count(made.TrainIds)} tokens, val has {Figures.Count(made.ValIds)}, out of a vocabulary of {Figures.Count(made.VocabSize)}");
        session.Output.Line($"{made.Folder}: ready. Next: nanogpt train --dataset={options.Dataset}");
    }

    /// <summary>A bar for each activity, one after the other.</summary>
    private sealed class PreparationBar(Screen screen) : IProgress<PreparationProgress>, IDisposable
    {
        private readonly Lock gate = new();
        private ProgressBar? bar;
        private string? activity;

        public void Report(PreparationProgress value)
        {
            lock (gate)
            {
                if (value.Activity != activity)
                {
                    bar?.Dispose();
                    activity = value.Activity;
                    bar = new ProgressBar(screen, activity, value.Unit == PreparationUnit.Bytes ? Figures.Bytes : Figures.Count);
                }

                bar!.Report(value.Done, value.Total);
            }
        }

        public void Dispose() => bar?.Dispose();
    }
}
