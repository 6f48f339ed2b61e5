// Where a run's batches come from: a dataset, or in tests whatever a test needs. The trainer asks for a batch by its place in
// the run and gets the same one each time: that is all that resuming needs to know about data.

using System.Globalization;
using NanoGpt.Data;

namespace NanoGpt.Training;

/// <summary>Gives the batches of a run: the same place always has the same batch. One thread at a time.</summary>
internal interface IBatches
{
    /// <summary>Tokens in the training split; what an epoch is.</summary>
    long TrainTokens { get; }

    /// <summary>Where the training split comes from: a file's path, or a name for a message.</summary>
    string Source { get; }

    /// <summary>Tells other data from the same data, also under another name.</summary>
    string Fingerprint { get; }

    /// <summary>Refuses data that a model could not be trained on.</summary>
    /// <param name="vocabSize">The model's number of ids.</param>
    /// <param name="blockSize">Tokens in a row.</param>
    /// <exception cref="ModelFormatException">There are too few tokens, or ids that the model doesn't have.</exception>
    void Check(int vocabSize, int blockSize);

    /// <summary>Fills a batch, row by row.</summary>
    /// <param name="place">Which one.</param>
    /// <param name="blockSize">Tokens in a row.</param>
    /// <param name="x">Token ids; as many as rows times <paramref name="blockSize"/>.</param>
    /// <param name="y">The id that follows each, or -1 where it is not to be learned.</param>
    void Fill(BatchPlace place, int blockSize, Span<long> x, Span<long> y);

    /// <summary>Where the rows of a batch lie in the data, for a message.</summary>
    string Describe(BatchPlace place, int batchSize, int blockSize);
}

/// <summary>The batches of a dataset.</summary>
internal sealed class DatasetBatches(TokenDataset data, long seed) : IBatches
{
    private readonly BatchSampler _sampler = new(data, seed);

    public long TrainTokens => data.Train.Count;

    public string Source => data.Train.Path;

    /// <summary>The number of ids and a sum over a thousand of them, so that no file has to be read whole.</summary>
    public string Fingerprint
    {
        get
        {
            const int samples = 1000;
            var sum = 0L;
            Span<long> id = stackalloc long[1];
            for (var i = 0; i < samples && i < data.Train.Count; i++)
            {
                data.Train.CopyTo((long)((Int128)i * data.Train.Count / samples), id);
                sum = unchecked(sum * 31 + id[0]);
            }

            return string.Create(CultureInfo.InvariantCulture, $"{data.Train.Count}-{sum:x16}");
        }
    }

    public void Check(int vocabSize, int blockSize) => data.Check(vocabSize, blockSize);

    public void Fill(BatchPlace place, int blockSize, Span<long> x, Span<long> y) => _sampler.Fill(place, blockSize, x, y);

    public string Describe(BatchPlace place, int batchSize, int blockSize) => _sampler.Describe(place, batchSize, blockSize);
}
