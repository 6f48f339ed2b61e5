// Which rows of a dataset make which batch. A batch depends on the seed and on its place in the run alone, so a resumed run
// sees the batches that the undisturbed one would have, and nothing about data has to be stored.

using System.Globalization;

namespace NanoGpt.Data;

/// <summary>One of the two parts of a dataset.</summary>
public enum DataSplit
{
    /// <summary>What a model learns from.</summary>
    Train,

    /// <summary>What it is measured on.</summary>
    Val,
}

/// <summary>Draws batches as nanoGPT's get_batch does: rows that start anywhere, uniformly. Safe to use from several threads.</summary>
/// <param name="dataset">The ids.</param>
/// <param name="seed">Another seed, other batches.</param>
internal sealed class BatchSampler(TokenDataset dataset, long seed)
{
    /// <summary>Fills a batch.</summary>
    /// <param name="place">Which batch.</param>
    /// <param name="blockSize">Ids in a row (T).</param>
    /// <param name="x">Ids, (B, T) row by row.</param>
    /// <param name="y">The id that follows each, (B, T), or -1 where the dataset's mask says that it is not to be learned.</param>
    public void Fill(BatchPlace place, int blockSize, Span<long> x, Span<long> y)
    {
        if (blockSize < 1 || x.Length == 0 || x.Length % blockSize != 0 || x.Length != y.Length)
            throw new ArgumentException($"Buffers of {x.Length} and {y.Length} ids for rows of {blockSize}; both need the same whole number of rows.", nameof(x));
        var file = dataset[place.Split];
        var mask = dataset.MaskOf(place.Split);
        Span<long> row = new long[blockSize + 1];
        for (var r = 0; r < x.Length / blockSize; r++)
        {
            var start = StartOf(place, r, file, blockSize);
            file.CopyTo(start, row);
            row[..blockSize].CopyTo(x[(r * blockSize)..]);
            var targets = y.Slice(r * blockSize, blockSize);
            row[1..].CopyTo(targets);
            mask?.Apply(start + 1, targets);
        }
    }

    /// <summary>Where the rows of a batch lie in the data, for a message: <c>rows of train.bin from 17, 912 on</c>.</summary>
    public string Describe(BatchPlace place, int batchSize, int blockSize)
    {
        var file = dataset[place.Split];
        var starts = Enumerable.Range(0, batchSize).Select(r => StartOf(place, r, file, blockSize).ToString(CultureInfo.InvariantCulture));
        return $"{blockSize} ids of {file.Path} from each of {string.Join(", ", starts)}";
    }

    // Uniform over [0, count - T), as torch.randint(len(data) - block_size, ...) is; the bias of one multiplication is below 2^-24
    // even for a trillion ids.
    private long StartOf(BatchPlace place, int row, TokenFile file, int blockSize)
    {
        var choices = file.Count - blockSize;
        if (choices < 1) throw new ModelFormatException($"{file.Path}: {file.Count} ids; a block of {blockSize} needs at least {blockSize + 1L}. Use more text or a smaller block_size.");
        var stream = (place.Split == DataSplit.Val ? 1u : 0u) | (place.Evaluation ? 2u : 0u) | (uint)row << 2;
        var (random, _) = Philox.Block((ulong)seed, stream, (uint)place.Index, (uint)place.Iteration, (uint)(place.Iteration >> 32));
        return (long)Math.BigMul(random, (ulong)choices, out _);
    }
}

/// <summary>A batch's place in a run: the same place always has the same batch.</summary>
/// <param name="Split">The part of the dataset.</param>
/// <param name="Evaluation">Whether it is for an evaluation; else for a step.</param>
/// <param name="Iteration">The step's number, or the number of steps before the evaluation.</param>
/// <param name="Index">Which one of that iteration: the micro step, or the evaluation's batch.</param>
internal readonly record struct BatchPlace(DataSplit Split, bool Evaluation, long Iteration, int Index);
