// What a model is trained on: ids to learn from, ids to be measured on, and the vocabulary they are of. Which ids make a
// batch is BatchSampler.cs.

using NanoGpt.IO;
using NanoGpt.Tokenization;

namespace NanoGpt.Data;

/// <summary>A dataset of token ids. Reading is safe from several threads. The caller disposes it, after training.</summary>
public sealed class TokenDataset : IDisposable
{
    private readonly LossMask? _trainMask;
    private readonly LossMask? _valMask;

    private TokenDataset(TokenFile train, TokenFile val, Tokenizer tokenizer, int? vocabSize, bool withMasks)
    {
        (Train, Val, Tokenizer, VocabSize) = (train, val, tokenizer, vocabSize);
        if (!withMasks) return;
        _trainMask = LossMask.TryOpen(train);
        _valMask = LossMask.TryOpen(val);
    }

    /// <summary>The ids to learn from.</summary>
    public TokenFile Train { get; }

    /// <summary>The ids to measure on.</summary>
    public TokenFile Val { get; }

    /// <summary>The vocabulary that the ids are of.</summary>
    public Tokenizer Tokenizer { get; }

    /// <summary>
    /// Number of ids of the dataset's own vocabulary, or null where it is GPT-2's: nanoGPT then builds a model with 50304.
    /// </summary>
    public int? VocabSize { get; }

    /// <summary>Opens a folder with train.bin and val.bin: ours, or one that nanoGPT's prepare.py wrote.</summary>
    /// <remarks>The files are mapped, not read. A folder without meta.json and meta.pkl is of GPT-2's vocabulary, as with nanoGPT.</remarks>
    /// <param name="folder">The folder, such as <c>data/shakespeare_char</c>.</param>
    /// <exception cref="ModelFormatException">A file is missing, is not whole, or does not fit to the others.</exception>
    public static TokenDataset Open(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        if (!Directory.Exists(folder))
            throw new ModelFormatException($"{folder}: no such folder; expected a dataset with train.bin and val.bin. Prepare it first: prepare {Path.GetFileName(folder)}.");
        AtomicFolder.Recover(folder);
        var meta = DatasetMeta.Read(folder);
        TokenFile? train = null, val = null;
        try
        {
            train = OpenWhole(Path.Combine(folder, "train.bin"), meta.TrainIds);
            val = OpenWhole(Path.Combine(folder, "val.bin"), meta.ValIds);
            return new TokenDataset(train, val, meta.Tokenizer, meta.VocabSize, withMasks: true);
        }
        catch
        {
            train?.Dispose();
            val?.Dispose();
            throw;
        }
    }

    /// <summary>Encodes a text file in memory: the first nine tenths of its characters to learn from, the rest to measure on.</summary>
    /// <remarks>Takes 2 to 4 bytes of memory for each id. For a text that should not be encoded anew each time, or does not
    /// fit into memory, prepare a folder with <see cref="DatasetPreparation"/>.</remarks>
    /// <param name="path">The file, in UTF-8.</param>
    /// <param name="tokenizer">The vocabulary, such as that of the model to be trained.</param>
    /// <exception cref="ModelFormatException">The file cannot be read, is not UTF-8, or has a character that the vocabulary lacks.</exception>
    public static TokenDataset FromText(string path, Tokenizer tokenizer)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(tokenizer);
        MemoryIds train = new(), val = new();
        new TextFileEncoder(path, _ => { }, CancellationToken.None).Encode(tokenizer, train, val);
        return FromIds(TokenFile.FromIds($"{path} (train)", train.Ids), TokenFile.FromIds($"{path} (val)", val.Ids), tokenizer);
    }

    /// <summary>Refuses what a model could not be trained on, before it is tried: too few ids, or ids that it has no embedding for.</summary>
    /// <remarks>Reads all ids once, at the speed of memory.</remarks>
    /// <param name="vocabSize">The model's number of ids.</param>
    /// <param name="blockSize">Ids in a row of a batch.</param>
    /// <exception cref="ModelFormatException">There are too few ids, or one is not below <paramref name="vocabSize"/>; the message says where.</exception>
    public void Check(int vocabSize, int blockSize)
    {
        foreach (var file in new[] { Train, Val })
        {
            if (file.Count <= blockSize)
                throw new ModelFormatException($"{file.Path}: {file.Count} ids; a block_size of {blockSize} needs at least {blockSize + 1L}. Use more text or a smaller block_size.");
            file.CheckIds(vocabSize);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Train.Dispose();
        Val.Dispose();
        _trainMask?.Dispose();
        _valMask?.Dispose();
    }

    internal TokenFile this[DataSplit split] => split == DataSplit.Val ? Val : Train;

    internal LossMask? MaskOf(DataSplit split) => split == DataSplit.Val ? _valMask : _trainMask;

    /// <summary>A dataset of ids in memory.</summary>
    internal static TokenDataset FromIds(TokenFile train, TokenFile val, Tokenizer tokenizer) =>
        new(train, val, tokenizer, ReferenceEquals(tokenizer, Tokenizer.Gpt2) ? null : tokenizer.VocabSize, withMasks: false);

    private static TokenFile OpenWhole(string path, long? expected)
    {
        var file = TokenFile.Open(path);
        if (expected is null || file.Count == expected) return file;
        var count = file.Count;
        file.Dispose();
        throw new ModelFormatException($"{path}: {count} ids; {DatasetMeta.FileName} beside it says {expected}. Is it a part of a file, or another's? Prepare the dataset again.");
    }
}
