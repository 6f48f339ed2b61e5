// Where a run's batches come from. The trainer asks for a batch by its place in the run and gets the same one each time:
// that is all that resuming needs to know about data.

namespace NanoGpt.Training;

/// <summary>A batch's place in a run.</summary>
/// <param name="Validation">Whether it is of the validation split.</param>
/// <param name="Evaluation">Whether it is for an evaluation; else for a step.</param>
/// <param name="Iteration">The step's number, or the number of steps before the evaluation.</param>
/// <param name="Index">Which one of that iteration: the micro step, or the evaluation's batch.</param>
internal readonly record struct BatchPlace(bool Validation, bool Evaluation, int Iteration, int Index);

/// <summary>Gives the batches of a run: the same place always has the same batch. One thread at a time.</summary>
internal interface IBatches
{
    /// <summary>Tokens in the training split; what an epoch is.</summary>
    long TrainTokens { get; }

    /// <summary>Tokens in the validation split.</summary>
    long ValTokens { get; }

    /// <summary>Fills a batch, row by row.</summary>
    /// <param name="place">Which one.</param>
    /// <param name="blockSize">Tokens in a row.</param>
    /// <param name="x">Token ids; as many as rows times <paramref name="blockSize"/>.</param>
    /// <param name="y">The id that follows each, or -1 where it is not to be learned.</param>
    void Fill(BatchPlace place, int blockSize, Span<long> x, Span<long> y);

    /// <summary>Where the rows of a batch lie in the data, for a message.</summary>
    string Describe(BatchPlace place, int batchSize, int blockSize);
}
