// What a training run tells those who watch it, and what it hands back at its end. Plain values: nothing here holds a tensor.

namespace NanoGpt;

/// <summary>What a <see cref="TrainingProgress"/> is about.</summary>
public enum TrainingEvent
{
    /// <summary>Something worth knowing before the first step: what is resumed, what the run will cost.</summary>
    Notice,

    /// <summary>Something that is probably not meant so.</summary>
    Warning,

    /// <summary>One iteration is done.</summary>
    Iteration,

    /// <summary>An evaluation is done.</summary>
    Evaluation,

    /// <summary>A checkpoint is saved.</summary>
    Checkpoint,

    /// <summary>A sample text was drawn.</summary>
    Sample,

    /// <summary>The run is over.</summary>
    Finished,
}

/// <summary>One thing that happened in a training run, and where the run stands. Immutable.</summary>
public sealed record TrainingProgress
{
    /// <summary>What happened.</summary>
    public required TrainingEvent Event { get; init; }

    /// <summary>
    /// The line to print, or null where nothing is to be printed: for evaluations and iterations nanoGPT's log lines to the
    /// letter, the latter only each <see cref="TrainerOptions.LogInterval"/>.
    /// </summary>
    public string? Text { get; init; }

    /// <summary>The number of the step, from 0.</summary>
    public int Iteration { get; init; }

    /// <summary>The number of the last step of the run.</summary>
    public int MaxIters { get; init; }

    /// <summary>Mean loss over the batches of the last step; NaN before the first.</summary>
    public double Loss { get; init; } = double.NaN;

    /// <summary>Length of the last step's gradient before clipping; NaN before the first.</summary>
    public double GradNorm { get; init; } = double.NaN;

    /// <summary>Learning rate of the last step.</summary>
    public double LearningRate { get; init; }

    /// <summary>How long the last iteration took, an evaluation before it apart.</summary>
    public TimeSpan IterationTime { get; init; }

    /// <summary>Tokens of the last iteration by the time it took.</summary>
    public double TokensPerSecond { get; init; }

    /// <summary>Running mean of the model's FLOPs over the machine's, as a fraction; -1 in the first 5 iterations, as nanoGPT.</summary>
    public double Mfu { get; init; } = -1;

    /// <summary>Tokens trained on so far.</summary>
    public long Tokens { get; init; }

    /// <summary>The last evaluation, or null before the first.</summary>
    public EvaluationResult? Evaluation { get; init; }
}

/// <summary>Mean losses of an evaluation. Immutable.</summary>
/// <param name="Iteration">Steps done before it.</param>
/// <param name="TrainLoss">Mean loss over <see cref="TrainerOptions.EvalIters"/> batches of the training split.</param>
/// <param name="ValLoss">The same of the validation split.</param>
/// <param name="IsBest">Whether no earlier validation loss was lower.</param>
public sealed record EvaluationResult(int Iteration, double TrainLoss, double ValLoss, bool IsBest);

/// <summary>Why a run ended.</summary>
public enum TrainingEnd
{
    /// <summary><see cref="TrainerOptions.MaxIters"/> was reached, or <see cref="TrainerOptions.EvalOnly"/> was asked for.</summary>
    Completed,

    /// <summary>The cancellation token asked for it.</summary>
    Cancelled,

    /// <summary><see cref="TrainerOptions.MaxSeconds"/> were over.</summary>
    OutOfTime,

    /// <summary>The validation loss had not improved for <see cref="TrainerOptions.EarlyStoppingPatience"/> evaluations.</summary>
    EarlyStopped,
}

/// <summary>What a run came to. Immutable.</summary>
public sealed record TrainingResult
{
    /// <summary>Why it ended.</summary>
    public required TrainingEnd End { get; init; }

    /// <summary>Steps done, those before a resume included.</summary>
    public required int Iterations { get; init; }

    /// <summary>Tokens trained on, those before a resume included.</summary>
    public required long Tokens { get; init; }

    /// <summary>Seconds of training, those before a resume included.</summary>
    public required double Seconds { get; init; }

    /// <summary>Loss of the last step; NaN if there was none.</summary>
    public required double Loss { get; init; }

    /// <summary>The lowest validation loss; NaN if there was no evaluation.</summary>
    public required double BestValLoss { get; init; }

    /// <summary>The iteration of <see cref="BestValLoss"/>; -1 if there was no evaluation.</summary>
    public required int BestIteration { get; init; }

    /// <summary>All evaluations of this start, in order.</summary>
    public required IReadOnlyList<EvaluationResult> Evaluations { get; init; }

    /// <summary>The newest checkpoint's folder, or null if none was saved.</summary>
    public required string? Checkpoint { get; init; }
}
