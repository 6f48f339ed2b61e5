// Text -> a folder with train.bin, val.bin and the vocabulary: nanoGPT's prepare.py files, and what users ask for most.

using NanoGpt.IO;
using NanoGpt.Tokenization;

namespace NanoGpt.Data;

/// <summary>Makes datasets out of text. Inputs may be larger than memory; all cores are used.</summary>
public static class DatasetPreparation
{
    /// <summary>Prepares a dataset. Its folder shows the whole of it or none of it, whenever the process ends.</summary>
    /// <param name="options">What, from what, to where.</param>
    /// <param name="progress">Told how far it is, or null.</param>
    /// <param name="cancellationToken">Stops it; the folder stays as it was.</param>
    /// <exception cref="ModelFormatException">The input is missing, could not be downloaded, is not text, or too little.</exception>
    /// <exception cref="ArgumentException">The options contradict each other.</exception>
    public static Task<PreparedDataset> PrepareAsync(
        PreparationOptions options, IProgress<PreparationProgress>? progress = null, CancellationToken cancellationToken = default) =>
        PrepareAsync(options, null, progress, cancellationToken);

    /// <summary>Prepares a dataset, as <see cref="PrepareAsync(PreparationOptions, IProgress{PreparationProgress}, CancellationToken)"/> does.</summary>
    /// <param name="options">What, from what, to where.</param>
    public static PreparedDataset Prepare(PreparationOptions options) => PrepareAsync(options).GetAwaiter().GetResult();

    internal static async Task<PreparedDataset> PrepareAsync(
        PreparationOptions options, HttpMessageHandler? handler, IProgress<PreparationProgress>? progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        var input = options.Documents is null ? options.Input ?? await DownloadAsync(options, handler, progress, cancellationToken).ConfigureAwait(false) : null;
        return await Task.Run(() => Prepare(options, input, progress, cancellationToken), cancellationToken).ConfigureAwait(false);
    }

    private static PreparedDataset Prepare(
        PreparationOptions options, string? input, IProgress<PreparationProgress>? progress, CancellationToken cancellationToken)
    {
        var documents = options.Documents ?? InputFiles.AsDocuments(input!);
        var characters = options.Characters ?? (options.Tokenizer is null && options.Dataset.EndsWith("_char", StringComparison.Ordinal));
        if (documents is not null && characters)
            throw new ArgumentException($"{documents.Name}: a vocabulary of characters is for one .txt file; documents need a token that ends a text. Set Tokenizer, or Characters to false.");
        var text = documents is null ? new TextFileEncoder(input!, Report(input!, progress), cancellationToken) : null;
        var tokenizer = options.Tokenizer ?? (characters ? text!.CreateCharacterTokenizer() : Tokenizer.Gpt2);

        PreparedDataset? made = null;
        AtomicFolder.Write(options.Folder, ["train.mask", "val.mask", "meta.pkl", "meta.json", .. VocabularyFiles], folder =>
        {
            using var train = Open(folder, "train", tokenizer);
            using var val = Open(folder, "val", tokenizer);
            if (text is not null)
                text.Encode(tokenizer, train.Ids, val.Ids);
            else
                Encode(documents!, options, tokenizer, train, val, progress, cancellationToken);
            train.Finish();
            val.Finish();
            DatasetMeta.Write(folder, tokenizer, train.Ids.Count, val.Ids.Count);
            made = new PreparedDataset(options.Folder, train.Ids.Count, val.Ids.Count, tokenizer.VocabSize);
        });
        return made!;
    }

    private static readonly string[] VocabularyFiles =
        [TokenizerFolder.CharactersFile, "vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json"];

    private static MaskedIds Open(string folder, string split, Tokenizer tokenizer) =>
        new(new TokenFileWriter(Path.Combine(folder, split + ".bin"), tokenizer.VocabSize), Path.Combine(folder, split + ".mask"));

    private static void Encode(
        DocumentSource source, PreparationOptions options, Tokenizer tokenizer, MaskedIds train, MaskedIds val,
        IProgress<PreparationProgress>? progress, CancellationToken cancellationToken)
    {
        var count = source.Count(cancellationToken);
        if (count is < 2 or > int.MaxValue)
            throw new ModelFormatException($"{source.Name}: {count} documents; expected from 2, one of them to validate on, to {int.MaxValue}.");

        var fraction = options.ValFraction ?? (options.Dataset == "openwebtext" ? 0.0005 : 0.1);
        var kept = Math.Min((long)Math.Ceiling(fraction * count), count - 1);
        var validation = new bool[count];
        foreach (var index in NumpyPermutation.Create((int)count, (uint)options.Seed).AsSpan(0, (int)kept)) validation[index] = true;

        new DocumentEncoder(tokenizer, cancellationToken).Encode(Choose(), train, val);

        IEnumerable<(Document, bool)> Choose()
        {
            var index = 0;
            foreach (var document in source.Read(cancellationToken))
            {
                if (index == count) throw new ModelFormatException($"{source.Name}: more than the {count} documents that were counted. Has it changed meanwhile?");
                if (index % 1000 == 0) progress?.Report(new PreparationProgress("Encoding", PreparationUnit.Documents, index, count));
                yield return (document, validation[index++]);
            }

            progress?.Report(new PreparationProgress("Encoding", PreparationUnit.Documents, index, count));
        }
    }

    // The file is read twice; each reading is half of the work.
    private static Action<long> Report(string path, IProgress<PreparationProgress>? progress)
    {
        if (progress is null || !File.Exists(path)) return _ => { };
        var total = new FileInfo(path).Length;
        var read = 0L;
        return bytes => progress.Report(new PreparationProgress("Encoding", PreparationUnit.Bytes, (read += bytes) / 2, total));
    }

    private static async Task<string> DownloadAsync(
        PreparationOptions options, HttpMessageHandler? handler, IProgress<PreparationProgress>? progress, CancellationToken cancellationToken)
    {
        var known = KnownDataset.Find(options.Dataset) ?? throw new ModelFormatException(
            $"{options.Dataset}: no input, and no dataset that can be downloaded by this name; these can: shakespeare, shakespeare_char. Name your text: --input=FILE or FOLDER (in code: Input).");
        var path = Path.Combine(options.Folder, "input.txt");
        await known.DownloadAsync(path, handler, progress, cancellationToken).ConfigureAwait(false);
        return path;
    }
}
