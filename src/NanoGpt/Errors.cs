// The exceptions of the library. One base, so that an app can catch "NanoGpt could not" in one place; few children,
// so that each means something else to do. Argument mistakes stay ArgumentException.

namespace NanoGpt;

/// <summary>Base of every exception that this library throws on purpose, argument mistakes apart.</summary>
public abstract class NanoGptException : Exception
{
    private protected NanoGptException(string message, Exception? innerException = null) : base(message, innerException)
    {
    }
}

/// <summary>A model, tokenizer, dataset or conversation file is missing, broken, or not what its neighbours say it is.</summary>
/// <param name="message">What was found where, what was expected, and what to do next.</param>
/// <param name="innerException">The cause, where there is one.</param>
public sealed class ModelFormatException(string message, Exception? innerException = null)
    : NanoGptException(message, innerException);

/// <summary>A training checkpoint could not be written, or is not whole.</summary>
/// <param name="message">What was found where, what was expected, and what to do next.</param>
/// <param name="innerException">The cause, where there is one.</param>
public sealed class CheckpointException(string message, Exception? innerException = null)
    : NanoGptException(message, innerException);

/// <summary>Training met a loss or gradient that is not finite and stopped before it could spoil the weights.</summary>
/// <param name="message">What was found at which iteration, and what to try.</param>
/// <param name="innerException">The cause, where there is one.</param>
public sealed class TrainingDivergedException(string message, Exception? innerException = null)
    : NanoGptException(message, innerException);

/// <summary>libtorch, or a device that was asked for, is missing or cannot be used.</summary>
/// <param name="message">The cause and the fix.</param>
/// <param name="innerException">The cause, where there is one.</param>
public sealed class BackendException(string message, Exception? innerException = null)
    : NanoGptException(message, innerException);

/// <summary>A <see cref="Generator"/> has as many generations running and waiting as its limits allow.</summary>
/// <param name="message">The limits, and what to do.</param>
public sealed class GeneratorBusyException(string message) : NanoGptException(message);
