// Prompt to text: one text or many, whole or as it is made. The steps are in Generation/, the arithmetic in Inference/.

using System.Runtime.CompilerServices;
using NanoGpt.Generation;
using NanoGpt.Inference;
using NanoGpt.Tokenization;

namespace NanoGpt;

/// <summary>Generates text with a model, on the CPU, without libtorch.</summary>
/// <remarks>
/// Safe for concurrent use: concurrent generations share the weights and passes through the model, and each gives the text it
/// would give alone. It keeps the last contexts (<see cref="GeneratorLimits.KeptContexts"/>), so a prompt that begins like an
/// earlier one starts sooner. Do not generate while the model is being trained. Dispose it before the model.
/// </remarks>
public sealed partial class Generator : IDisposable
{
    private readonly Func<InferenceModel> _engine;
    private readonly Tokenizer? _tokenizer;
    private readonly GenerationQueue _queue;
    private readonly ContextStore _contexts;

    /// <summary>Generates with that model.</summary>
    /// <param name="gpt">The model. What training does to its weights, later generations see.</param>
    /// <param name="limits">Null for the defaults.</param>
    /// <exception cref="ArgumentException">A limit is out of its range.</exception>
    public Generator(GPT gpt, GeneratorLimits? limits = null)
        : this(() => gpt.Engine, gpt?.TokenizerOrNull, limits)
    {
        ArgumentNullException.ThrowIfNull(gpt);
    }

    internal Generator(Func<InferenceModel> engine, Tokenizer? tokenizer, GeneratorLimits? limits = null)
    {
        limits ??= new GeneratorLimits();
        limits.Validate();
        (_engine, _tokenizer) = (engine, tokenizer);
        _queue = new GenerationQueue(limits);
        _contexts = new ContextStore(limits.KeptContexts);
    }

    /// <summary>Continues a text.</summary>
    /// <param name="prompt">What to continue; at least one token. Of a prompt longer than the context the last tokens count.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <param name="cancellationToken">Stops within one token.</param>
    /// <returns>What follows the prompt.</returns>
    /// <exception cref="ArgumentException">The prompt is empty, or an option is out of its range.</exception>
    /// <exception cref="GeneratorBusyException">As many generations are running and waiting as the limits allow.</exception>
    /// <exception cref="ModelFormatException">The model has no vocabulary, or gives logits that are no numbers.</exception>
    public string Generate(string prompt, GenerationOptions? options = null, CancellationToken cancellationToken = default) =>
        GenerateResults(prompt, options, cancellationToken)[0].Text;

    /// <inheritdoc cref="Generate"/>
    public async Task<string> GenerateAsync(
        string prompt, GenerationOptions? options = null, CancellationToken cancellationToken = default) =>
        (await GenerateResultsAsync(prompt, options, cancellationToken).ConfigureAwait(false))[0].Text;

    /// <summary>Continues a text, piece by piece as it is made.</summary>
    /// <returns>Pieces that are whole characters; together what <see cref="Generate"/> gives.</returns>
    /// <inheritdoc cref="Generate" path="/param"/>
    /// <inheritdoc cref="Generate" path="/exception"/>
    public IEnumerable<string> GenerateStreaming(
        string prompt, GenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        var job = PlanStream(Encode(prompt, options), options);
        return Run(job, cancellationToken).Where(item => item.Token.Text.Length > 0).Select(item => item.Token.Text);
    }

    /// <inheritdoc cref="GenerateStreaming"/>
    public IAsyncEnumerable<string> GenerateStreamingAsync(
        string prompt, GenerationOptions? options = null, CancellationToken cancellationToken = default) =>
        Texts(StreamTokensAsync(prompt, options, cancellationToken));

    /// <summary>Continues a text, token by token as it is made, with what the options ask about each token.</summary>
    /// <inheritdoc cref="Generate" path="/param"/>
    /// <inheritdoc cref="Generate" path="/exception"/>
    public IAsyncEnumerable<GeneratedToken> StreamTokensAsync(
        string prompt, GenerationOptions? options = null, CancellationToken cancellationToken = default) =>
        Tokens(PlanStream(Encode(prompt, options), options), cancellationToken);

    /// <summary>Continues a text as often as <see cref="GenerationOptions.ReturnSequences"/> says, with all that is known of each.</summary>
    /// <inheritdoc cref="Generate" path="/param"/>
    /// <inheritdoc cref="Generate" path="/exception"/>
    public IReadOnlyList<GenerationResult> GenerateResults(
        string prompt, GenerationOptions? options = null, CancellationToken cancellationToken = default) =>
        Collect(Plan([Encode(prompt, options)], options), cancellationToken);

    /// <inheritdoc cref="GenerateResults"/>
    public Task<IReadOnlyList<GenerationResult>> GenerateResultsAsync(
        string prompt, GenerationOptions? options = null, CancellationToken cancellationToken = default) =>
        CollectAsync(Plan([Encode(prompt, options)], options), cancellationToken);

    /// <summary>Continues several texts together, which takes hardly longer than one.</summary>
    /// <param name="prompts">The texts; each at least one token.</param>
    /// <param name="options">Null for the defaults. Each text is the one it would be alone.</param>
    /// <param name="cancellationToken">Stops within one token.</param>
    /// <returns>For each prompt, in order, as many results as <see cref="GenerationOptions.ReturnSequences"/> says.</returns>
    /// <inheritdoc cref="Generate" path="/exception"/>
    public IReadOnlyList<GenerationResult> GenerateBatch(
        IReadOnlyList<string> prompts, GenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(prompts);
        return Collect(Plan(prompts.Select(prompt => Encode(prompt, options)).ToList(), options), cancellationToken);
    }

    /// <summary>Continues token ids. Needs no vocabulary.</summary>
    /// <param name="ids">What to continue; at least one id.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <param name="cancellationToken">Stops within one token.</param>
    /// <returns>The ids that follow, the one that ended the text included.</returns>
    /// <inheritdoc cref="Generate" path="/exception"/>
    public IReadOnlyList<int> GenerateTokens(
        IReadOnlyList<int> ids, GenerationOptions? options = null, CancellationToken cancellationToken = default) =>
        Collect(Plan([ids], options), cancellationToken)[0].Ids;

    /// <summary>Continues token ids, token by token as they are made. Needs no vocabulary.</summary>
    /// <inheritdoc cref="GenerateTokens" path="/param"/>
    /// <inheritdoc cref="Generate" path="/exception"/>
    public IEnumerable<GeneratedToken> StreamTokens(
        IReadOnlyList<int> ids, GenerationOptions? options = null, CancellationToken cancellationToken = default) =>
        Run(PlanStream(ids, options), cancellationToken).Select(item => item.Token);

    /// <inheritdoc cref="StreamTokens"/>
    public IAsyncEnumerable<GeneratedToken> StreamTokensAsync(
        IReadOnlyList<int> ids, GenerationOptions? options = null, CancellationToken cancellationToken = default) =>
        Tokens(PlanStream(ids, options), cancellationToken);

    /// <summary>As the public one, and says before the first token how many ids of the prompt a kept context had already.</summary>
    internal IAsyncEnumerable<GeneratedToken> StreamTokensAsync(
        IReadOnlyList<int> ids, GenerationOptions options, Action<int> onReused, CancellationToken cancellationToken) =>
        Tokens(PlanStream(ids, options) with { OnReused = onReused }, cancellationToken);

    /// <summary>Continues token ids as often as <see cref="GenerationOptions.ReturnSequences"/> says. Needs no vocabulary.</summary>
    /// <inheritdoc cref="GenerateTokens" path="/param"/>
    /// <inheritdoc cref="Generate" path="/exception"/>
    public IReadOnlyList<GenerationResult> Continue(
        IReadOnlyList<int> ids, GenerationOptions? options = null, CancellationToken cancellationToken = default) =>
        Collect(Plan([ids], options), cancellationToken);

    /// <summary>Forgets the kept contexts. Generations that are running go on.</summary>
    public void Dispose() => _contexts.Dispose();

    /// <summary>Generations that wait for a place.</summary>
    internal int Waiting => _queue.Waiting;

    private Tokenizer RequiredTokenizer => _tokenizer ?? throw new ModelFormatException(
        "The model has no vocabulary, so text can't be turned into ids: use GenerateTokens, or copy the vocabulary that it was "
        + "trained with into its folder.");

    private IReadOnlyList<int> Encode(string prompt, GenerationOptions? options)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        return RequiredTokenizer.Encode(prompt, options?.AllowSpecialTokens ?? false);
    }

    private Job Plan(IReadOnlyList<IReadOnlyList<int>> prompts, GenerationOptions? options)
    {
        foreach (var ids in prompts)
        {
            ArgumentNullException.ThrowIfNull(ids);
            if (ids.Count == 0)
                throw new ArgumentException("The prompt is empty; there must be at least one token to continue. nanoGPT begins with \"\\n\".", nameof(prompts));
        }

        var engine = _engine();
        return new Job(engine, prompts, new GenerationPlan(options ?? new GenerationOptions(), engine.Config, _tokenizer));
    }

    private Job PlanStream(IReadOnlyList<int> ids, GenerationOptions? options)
    {
        var job = Plan([ids], options);
        if (job.Plan.Options.Beams > 1 || job.Plan.Options.ReturnSequences > 1)
            throw new ArgumentException("One text can be streamed, and only without beams: set Beams and ReturnSequences to 1.", nameof(options));
        return job;
    }

    private List<GenerationResult> Collect(Job job, CancellationToken cancellationToken)
    {
        if (job.Plan.Options.Beams > 1) return job.Prompts.SelectMany(ids => SearchBeams(job, ids, cancellationToken)).ToList();
        var texts = job.EmptyTexts();
        foreach (var (index, token) in Run(job, cancellationToken)) texts[index].Add(token);
        return job.Results(texts);
    }

    private async Task<IReadOnlyList<GenerationResult>> CollectAsync(Job job, CancellationToken cancellationToken)
    {
        if (job.Plan.Options.Beams > 1)
            return await Task.Run(() => Collect(job, cancellationToken), cancellationToken).ConfigureAwait(false);
        var texts = job.EmptyTexts();
        await foreach (var (index, token) in RunAsync(job, cancellationToken).ConfigureAwait(false)) texts[index].Add(token);
        return job.Results(texts);
    }

    private IEnumerable<(int Index, GeneratedToken Token)> Run(Job job, CancellationToken cancellationToken)
    {
        using var place = _queue.EnterAsync(cancellationToken).GetAwaiter().GetResult();
        using var contexts = new TakenContexts(_contexts, job.Engine, job.Prompts);
        using var run = new GenerationRun(job.Plan, contexts.Prompts);
        while (!run.IsFinished)
        {
            job.Engine.Run(run.NextRequests(), cancellationToken);
            foreach (var item in run.Choose()) yield return item;
        }
    }

    private async IAsyncEnumerable<(int Index, GeneratedToken Token)> RunAsync(
        Job job, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var place = await _queue.EnterAsync(cancellationToken).ConfigureAwait(false);
        using var contexts = new TakenContexts(_contexts, job.Engine, job.Prompts);
        using var run = new GenerationRun(job.Plan, contexts.Prompts);
        job.OnReused?.Invoke(contexts.ReusedIds);
        while (!run.IsFinished)
        {
            await job.Engine.RunAsync(run.NextRequests(), cancellationToken).ConfigureAwait(false);
            foreach (var item in run.Choose()) yield return item;
        }
    }

    private IReadOnlyList<GenerationResult> SearchBeams(Job job, IReadOnlyList<int> ids, CancellationToken cancellationToken)
    {
        using var place = _queue.EnterAsync(cancellationToken).GetAwaiter().GetResult();
        using var contexts = new TakenContexts(_contexts, job.Engine, [ids]);
        using var search = new BeamSearch(job.Plan, contexts.Prompts[0].Session, ids);
        while (!search.IsFinished)
        {
            job.Engine.Run(search.NextRequests(), cancellationToken);
            search.Advance();
        }

        return search.Results();
    }

    private async IAsyncEnumerable<GeneratedToken> Tokens(Job job, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var (_, token) in RunAsync(job, cancellationToken).ConfigureAwait(false)) yield return token;
    }

    private static async IAsyncEnumerable<string> Texts(IAsyncEnumerable<GeneratedToken> tokens)
    {
        await foreach (var token in tokens.ConfigureAwait(false))
        {
            if (token.Text.Length > 0) yield return token.Text;
        }
    }

    /// <summary>What one call asks for, checked.</summary>
    private sealed record Job(InferenceModel Engine, IReadOnlyList<IReadOnlyList<int>> Prompts, GenerationPlan Plan)
    {
        /// <summary>Told how many ids of the prompts need not be computed again.</summary>
        public Action<int>? OnReused { get; init; }

        public List<GeneratedToken>[] EmptyTexts() =>
            Enumerable.Range(0, Prompts.Count * Plan.Options.ReturnSequences).Select(_ => new List<GeneratedToken>()).ToArray();

        public List<GenerationResult> Results(List<GeneratedToken>[] texts) => texts.Select((tokens, index) => new GenerationResult(
            string.Concat(tokens.Select(token => token.Text)), tokens, tokens.LastOrDefault()?.FinishReason ?? FinishReason.Length,
            Prompts[index / Plan.Options.ReturnSequences].Count)).ToList();
    }

    /// <summary>The sessions of one call, given back at its end.</summary>
    private sealed class TakenContexts(ContextStore store, InferenceModel engine, IReadOnlyList<IReadOnlyList<int>> prompts) : IDisposable
    {
        public List<(InferenceSession Session, IReadOnlyList<int> Ids)> Prompts { get; } =
            prompts.Select(ids => (store.Take(engine, ids), ids)).ToList();

        public int ReusedIds => Prompts.Sum(prompt => prompt.Session.ReusableLength(prompt.Ids));

        public void Dispose()
        {
            foreach (var (session, _) in Prompts) store.GiveBack(session);
        }
    }
}
