// What to prepare, from what, to where.

using NanoGpt.Tokenization;

namespace NanoGpt.Data;

/// <summary>Options of <see cref="DatasetPreparation"/>. Immutable.</summary>
public sealed record PreparationOptions
{
    /// <summary>The dataset's name: <c>shakespeare</c>, <c>shakespeare_char</c>, <c>openwebtext</c>, or one of your own.</summary>
    public required string Dataset { get; init; }

    /// <summary>
    /// A .txt file; a .jsonl file of <c>{"text": ...}</c> or <c>{"prompt": ..., "response": ...}</c>; a folder of .txt or of .jsonl
    /// files. Null downloads the dataset where its name is a known one.
    /// </summary>
    /// <value>Default null.</value>
    public string? Input { get; init; }

    /// <summary>Documents from elsewhere, instead of <see cref="Input"/>.</summary>
    /// <value>Default null.</value>
    public DocumentSource? Documents { get; init; }

    /// <summary>The folder for train.bin, val.bin and the vocabulary.</summary>
    /// <value>Default null: <c>data/</c> and the dataset's name, in the current folder.</value>
    public string? OutDir { get; init; }

    /// <summary>The vocabulary, or null for GPT-2's, or for the text's own characters where <see cref="Characters"/> says so.</summary>
    /// <value>Default null.</value>
    public Tokenizer? Tokenizer { get; init; }

    /// <summary>Whether the vocabulary is the text's own characters. Only for a .txt file, and not together with <see cref="Tokenizer"/>.</summary>
    /// <value>Default null: true for names that end in <c>_char</c>, as nanoGPT's do.</value>
    public bool? Characters { get; init; }

    /// <summary>The part of the documents that is kept for validation. A .txt file keeps its last tenth, as with nanoGPT.</summary>
    /// <value>Default null: 0.0005 for openwebtext, as with nanoGPT, else 0.1. Above 0, below 1.</value>
    public double? ValFraction { get; init; }

    /// <summary>Chooses the documents for validation, as numpy's default_rng does under the same seed.</summary>
    /// <value>Default 2357, nanoGPT's for openwebtext. 0 or above.</value>
    public int Seed { get; init; } = 2357;

    internal string Folder => OutDir ?? Path.Combine("data", Dataset);

    internal void Validate()
    {
        if (string.IsNullOrWhiteSpace(Dataset) || Dataset.AsSpan().IndexOfAny("/\\:") >= 0 || Dataset is "." or "..")
            throw new ArgumentException($"Dataset is '{Dataset}'; expected a name, without a path.");
        if (Input is not null && Documents is not null) throw new ArgumentException("Input and Documents are both set; expected one of them.");
        if (Tokenizer is not null && Characters == true) throw new ArgumentException("Tokenizer and Characters are both set; expected one of them.");
        if (ValFraction is { } fraction && !(fraction > 0 && fraction < 1))
            throw new ArgumentException(FormattableString.Invariant($"ValFraction is {fraction}; expected a number above 0 and below 1."));
        if (Seed < 0) throw new ArgumentException(FormattableString.Invariant($"Seed is {Seed}; expected 0 or above."));
    }
}

/// <summary>What a preparation counts.</summary>
public enum PreparationUnit
{
    /// <summary>Bytes of a file.</summary>
    Bytes,

    /// <summary>Documents.</summary>
    Documents,
}

/// <summary>How far a preparation is.</summary>
/// <param name="Activity">What is being done, in one word: Downloading, Encoding.</param>
/// <param name="Unit">What <paramref name="Done"/> and <paramref name="Total"/> count.</param>
/// <param name="Done">How much of it is done.</param>
/// <param name="Total">Out of how much; 0 where that is not known.</param>
public readonly record struct PreparationProgress(string Activity, PreparationUnit Unit, long Done, long Total);

/// <summary>What a preparation made.</summary>
/// <param name="Folder">The folder; <see cref="TokenDataset.Open"/> opens it.</param>
/// <param name="TrainIds">Number of ids in train.bin.</param>
/// <param name="ValIds">Number of ids in val.bin.</param>
/// <param name="VocabSize">Number of ids of the vocabulary.</param>
public sealed record PreparedDataset(string Folder, long TrainIds, long ValIds, int VocabSize);
