// What a generation gives back.

namespace NanoGpt;

/// <summary>Why a generation ended.</summary>
public enum FinishReason
{
    /// <summary>It reached <see cref="GenerationOptions.MaxNewTokens"/>.</summary>
    Length,

    /// <summary>The model ended the text, by the vocabulary's end-of-text token or the config's.</summary>
    EndOfText,

    /// <summary>One of <see cref="GenerationOptions.StopIds"/> was generated.</summary>
    StopId,

    /// <summary>One of <see cref="GenerationOptions.StopStrings"/> appeared.</summary>
    StopString,
}

/// <summary>A token and how likely the model thought it, before any generation option changed that.</summary>
/// <param name="Id">The token id.</param>
/// <param name="LogProbability">Natural logarithm of its probability.</param>
public readonly record struct TokenLogProbability(int Id, double LogProbability);

/// <summary>One generated token.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Text">
/// What it adds to the text. Empty while a character is unfinished or the text may yet turn out to be a stop string; the last
/// token brings what was held back.
/// </param>
public sealed record GeneratedToken(int Id, string Text)
{
    /// <summary>Natural logarithm of its probability; null unless <see cref="GenerationOptions.LogProbabilities"/> asks for it.</summary>
    public double? LogProbability { get; init; }

    /// <summary>The most likely tokens at this place, the likeliest first; as many as <see cref="GenerationOptions.LogProbabilities"/> says.</summary>
    public IReadOnlyList<TokenLogProbability> Top { get; init; } = [];

    /// <summary>Why the generation ended with this token; null while it goes on.</summary>
    public FinishReason? FinishReason { get; init; }
}

/// <summary>One generated text.</summary>
/// <param name="Text">The text that follows the prompt, without stop strings and stop tokens.</param>
/// <param name="Tokens">The generated tokens, the one that ended the text included.</param>
/// <param name="FinishReason">Why it ended.</param>
/// <param name="PromptTokens">How many tokens the prompt had.</param>
public sealed record GenerationResult(string Text, IReadOnlyList<GeneratedToken> Tokens, FinishReason FinishReason, int PromptTokens)
{
    /// <summary>The generated ids, the one that ended the text included.</summary>
    public IReadOnlyList<int> Ids { get; } = Tokens.Select(token => token.Id).ToArray();

    /// <summary>Beam search: the log-probability of the text by its length; else null.</summary>
    public double? BeamScore { get; init; }
}

/// <summary>How likely a model thinks a given text.</summary>
/// <param name="Tokens">
/// The tokens with their log-probabilities given those before; that of the first is NaN, as nothing is before it.
/// </param>
public sealed record TextScore(IReadOnlyList<TokenLogProbability> Tokens)
{
    /// <summary>Tokens that have a probability: all but the first.</summary>
    public int Count => Math.Max(0, Tokens.Count - 1);

    /// <summary>Sum of the log-probabilities.</summary>
    public double LogProbability { get; } = Tokens.Skip(1).Sum(token => token.LogProbability);

    /// <summary>Mean negative log-probability of a token in nats: the loss of nanoGPT's evaluation.</summary>
    public double Loss => -LogProbability / Count;

    /// <summary>e to the <see cref="Loss"/>.</summary>
    public double Perplexity => Math.Exp(Loss);
}
