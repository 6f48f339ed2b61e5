// Generating straight from a GPT, as a newcomer guesses it. Each is one call of a Generator, which is what to hold for more.

namespace NanoGpt;

/// <summary>Text from a <see cref="GPT"/> in one call. A <see cref="Generator"/> does more: batches, results, limits, kept contexts.</summary>
public static class GPTGenerationExtensions
{
    private static readonly GeneratorLimits ForOneCall = new() { KeptContexts = 0 };

    /// <inheritdoc cref="Generator.Generate"/>
    /// <param name="gpt">The model. Safe for concurrent use while nobody trains it.</param>
    /// <param name="prompt">What to continue; at least one token.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <param name="cancellationToken">Stops within one token.</param>
    public static string Generate(
        this GPT gpt, string prompt, GenerationOptions? options = null, CancellationToken cancellationToken = default) =>
        new Generator(gpt, ForOneCall).Generate(prompt, options, cancellationToken);

    /// <inheritdoc cref="Generator.Generate"/>
    /// <param name="gpt">The model. Safe for concurrent use while nobody trains it.</param>
    /// <param name="prompt">What to continue; at least one token.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <param name="cancellationToken">Stops within one token.</param>
    public static Task<string> GenerateAsync(
        this GPT gpt, string prompt, GenerationOptions? options = null, CancellationToken cancellationToken = default) =>
        new Generator(gpt, ForOneCall).GenerateAsync(prompt, options, cancellationToken);

    /// <inheritdoc cref="Generator.GenerateStreaming"/>
    /// <param name="gpt">The model. Safe for concurrent use while nobody trains it.</param>
    /// <param name="prompt">What to continue; at least one token.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <param name="cancellationToken">Stops within one token.</param>
    public static IEnumerable<string> GenerateStreaming(
        this GPT gpt, string prompt, GenerationOptions? options = null, CancellationToken cancellationToken = default) =>
        new Generator(gpt, ForOneCall).GenerateStreaming(prompt, options, cancellationToken);

    /// <inheritdoc cref="Generator.GenerateStreaming"/>
    /// <param name="gpt">The model. Safe for concurrent use while nobody trains it.</param>
    /// <param name="prompt">What to continue; at least one token.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <param name="cancellationToken">Stops within one token.</param>
    public static IAsyncEnumerable<string> GenerateStreamingAsync(
        this GPT gpt, string prompt, GenerationOptions? options = null, CancellationToken cancellationToken = default) =>
        new Generator(gpt, ForOneCall).GenerateStreamingAsync(prompt, options, cancellationToken);

    /// <inheritdoc cref="Generator.GenerateTokens"/>
    /// <param name="gpt">The model. Safe for concurrent use while nobody trains it.</param>
    /// <param name="ids">What to continue; at least one id.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <param name="cancellationToken">Stops within one token.</param>
    public static IReadOnlyList<int> GenerateTokens(
        this GPT gpt, IReadOnlyList<int> ids, GenerationOptions? options = null, CancellationToken cancellationToken = default) =>
        new Generator(gpt, ForOneCall).GenerateTokens(ids, options, cancellationToken);
}
