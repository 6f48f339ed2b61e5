// Every option of generation with its default, unit and range. What is done with them: Inference/Sampler.cs for the choice
// of a token, Generator.cs for the rest.

namespace NanoGpt;

/// <summary>How text is generated. Immutable, so safe to share and to vary with <c>with</c>.</summary>
/// <remarks>
/// A token is chosen in the order of transformers: logit bias, repetition, presence and frequency penalty, n-gram and bad-word
/// bans, minimum length; then, unless <see cref="Temperature"/> is 0, temperature, top-k, top-p, min-p, typical-p and a draw.
/// </remarks>
public sealed record GenerationOptions
{
    /// <summary>The most tokens to generate for each sequence.</summary>
    /// <value>Default 100. At least 0.</value>
    public int MaxNewTokens { get; init; } = 100;

    /// <summary>The fewest tokens to generate: before them, ids that would end the text are not chosen.</summary>
    /// <value>Default 0. From 0 to <see cref="MaxNewTokens"/>.</value>
    public int MinNewTokens { get; init; }

    /// <summary>Divides the logits: below 1 the likely gets likelier. 0 always takes the most likely token.</summary>
    /// <value>Default 0.8, as in nanoGPT's sample.py. At least 0.</value>
    public double Temperature { get; init; } = 0.8;

    /// <summary>Only this many of the most likely tokens stay, and those that tie with the last of them. 0 is off.</summary>
    /// <value>Default 200, as in nanoGPT's sample.py. At least 0.</value>
    public int TopK { get; init; } = 200;

    /// <summary>Only the smallest set of most likely tokens stays whose probabilities reach this sum. 1 is off.</summary>
    /// <value>Default 1. Above 0, at most 1.</value>
    public double TopP { get; init; } = 1;

    /// <summary>Only tokens at least this fraction as likely as the most likely one stay. 0 is off.</summary>
    /// <value>Default 0. From 0 to 1.</value>
    public double MinP { get; init; }

    /// <summary>
    /// Only the tokens stay whose information is closest to the expected one, until their probabilities reach this sum
    /// (Meister et al., 2022). 1 is off.
    /// </summary>
    /// <value>Default 1. Above 0, at most 1.</value>
    public double TypicalP { get; init; } = 1;

    /// <summary>
    /// Makes tokens of the prompt and of the text so far less likely: a positive logit is divided by it, a negative one
    /// multiplied (CTRL, Keskar et al., 2019). 1 is off.
    /// </summary>
    /// <value>Default 1. Above 0; below 1 favours repetition.</value>
    public double RepetitionPenalty { get; init; } = 1;

    /// <summary>Subtracted from the logit of each token that has been generated, once. 0 is off.</summary>
    /// <value>Default 0. From -2 to 2, as in OpenAI's interface.</value>
    public double PresencePenalty { get; init; }

    /// <summary>Subtracted from the logit of each token for every time that it has been generated. 0 is off.</summary>
    /// <value>Default 0. From -2 to 2, as in OpenAI's interface.</value>
    public double FrequencyPenalty { get; init; }

    /// <summary>No run of so many tokens occurs twice, the prompt included. 0 is off.</summary>
    /// <value>Default 0. At least 0.</value>
    public int NoRepeatNgramSize { get; init; }

    /// <summary>Added to the logit of the token with that id. Negative infinity forbids it.</summary>
    /// <value>Default empty. Ids of the vocabulary; values that are not NaN.</value>
    public IReadOnlyDictionary<int, float> LogitBias { get; init; } = new Dictionary<int, float>();

    /// <summary>Texts whose tokens are never generated one after the other, as they stand and with a space before them.</summary>
    /// <value>Default empty. No text is empty.</value>
    public IReadOnlyList<string> BadWords { get; init; } = [];

    /// <summary>Runs of ids that are never generated.</summary>
    /// <value>Default empty. No run is empty; ids of the vocabulary.</value>
    public IReadOnlyList<IReadOnlyList<int>> BadWordIds { get; init; } = [];

    /// <summary>Fixes the draws: the same seed, model, prompt and options give the same text. Null draws anew each time.</summary>
    /// <value>Default null.</value>
    public long? Seed { get; init; }

    /// <summary>Texts that end the generation when they appear; they are not part of the result, and no piece of them is ever streamed.</summary>
    /// <value>Default empty. No text is empty.</value>
    public IReadOnlyList<string> StopStrings { get; init; } = [];

    /// <summary>Ids that end the generation; they are not part of the text.</summary>
    /// <value>Default empty. Ids of the vocabulary.</value>
    public IReadOnlyList<int> StopIds { get; init; } = [];

    /// <summary>Whether the vocabulary's end-of-text token, and the config's, ends the generation.</summary>
    /// <value>Default true. nanoGPT's sample.py goes on.</value>
    public bool StopAtEndOfText { get; init; } = true;

    /// <summary>
    /// Whether special tokens written out in the prompt, such as <c>&lt;|endoftext|&gt;</c>, become their ids.
    /// </summary>
    /// <value>Default false: text from outside cannot forge them.</value>
    public bool AllowSpecialTokens { get; init; }

    /// <summary>How many texts to generate for one prompt. The prompt is computed once.</summary>
    /// <value>Default 1. At least 1; with beams at most <see cref="Beams"/>, and fewer come only where no more texts exist.</value>
    public int ReturnSequences { get; init; } = 1;

    /// <summary>Beams of beam search; 1 is off. With beams the likeliest whole text is sought: nothing is drawn and nothing streamed.</summary>
    /// <value>Default 1. From 1 to 64. Above 1 the options of drawing (temperature to typical-p) have no effect.</value>
    public int Beams { get; init; } = 1;

    /// <summary>Beam search divides a text's log-probability by its length to this power: above 0 favours longer texts.</summary>
    /// <value>Default 1.</value>
    public double LengthPenalty { get; init; } = 1;

    /// <summary>Whether beam search ends as soon as it has <see cref="Beams"/> finished texts, without asking if a better one may come.</summary>
    /// <value>Default false.</value>
    public bool EarlyStopping { get; init; }

    /// <summary>
    /// Null: no log-probabilities. 0: that of each generated token. n: also the n most likely tokens at each place. They are
    /// the model's own, before any option changes them.
    /// </summary>
    /// <value>Default null. From 0 to 100.</value>
    public int? LogProbabilities { get; init; }

    /// <summary>Checks every value and names all that are wrong at once.</summary>
    /// <exception cref="ArgumentException">A value is out of its range, or two contradict each other.</exception>
    public void Validate() => Validate(vocabSize: int.MaxValue);

    /// <summary>As <see cref="Validate()"/>, and ids must be below <paramref name="vocabSize"/>.</summary>
    internal void Validate(int vocabSize)
    {
        var faults = RangeFaults().Concat(ListFaults(vocabSize)).ToList();
        if (faults.Count > 0)
            throw new ArgumentException("GenerationOptions are not valid: " + string.Join("; ", faults) + ".");
    }

    private IEnumerable<string> RangeFaults()
    {
        foreach (var (name, value, isValid, range) in new[]
        {
            (nameof(MaxNewTokens), MaxNewTokens, MaxNewTokens >= 0, "at least 0"),
            (nameof(MinNewTokens), MinNewTokens, MinNewTokens >= 0 && MinNewTokens <= MaxNewTokens, $"from 0 to MaxNewTokens ({MaxNewTokens})"),
            (nameof(Temperature), Temperature, Temperature >= 0 && double.IsFinite(Temperature), "at least 0"),
            (nameof(TopK), TopK, TopK >= 0, "at least 0"),
            (nameof(TopP), TopP, TopP is > 0 and <= 1, "above 0, at most 1"),
            (nameof(MinP), MinP, MinP is >= 0 and <= 1, "from 0 to 1"),
            (nameof(TypicalP), TypicalP, TypicalP is > 0 and <= 1, "above 0, at most 1"),
            (nameof(RepetitionPenalty), RepetitionPenalty, RepetitionPenalty > 0 && double.IsFinite(RepetitionPenalty), "above 0"),
            (nameof(PresencePenalty), PresencePenalty, PresencePenalty is >= -2 and <= 2, "from -2 to 2"),
            (nameof(FrequencyPenalty), FrequencyPenalty, FrequencyPenalty is >= -2 and <= 2, "from -2 to 2"),
            (nameof(NoRepeatNgramSize), NoRepeatNgramSize, NoRepeatNgramSize >= 0, "at least 0"),
            (nameof(Beams), Beams, Beams is >= 1 and <= 64, "from 1 to 64"),
            (nameof(ReturnSequences), ReturnSequences, ReturnSequences >= 1 && (Beams <= 1 || ReturnSequences <= Beams), "at least 1, with beams at most Beams"),
            (nameof(LengthPenalty), LengthPenalty, double.IsFinite(LengthPenalty), "a finite number"),
            (nameof(LogProbabilities), LogProbabilities ?? 0, LogProbabilities is null or (>= 0 and <= 100), "null, or from 0 to 100"),
        })
        {
            if (!isValid) yield return FormattableString.Invariant($"{name} is {value}, must be {range}");
        }
    }

    private IEnumerable<string> ListFaults(int vocabSize)
    {
        if (Beams > 1 && StopStrings.Count > 0) yield return "StopStrings can't be watched for in beam search: use StopIds, or Beams = 1";
        if (StopStrings.Any(string.IsNullOrEmpty)) yield return "StopStrings has an empty text";
        if (BadWords.Any(string.IsNullOrEmpty)) yield return "BadWords has an empty text";
        if (BadWordIds.Any(run => run.Count == 0)) yield return "BadWordIds has an empty run";
        foreach (var (id, bias) in LogitBias.Where(entry => float.IsNaN(entry.Value)))
            yield return FormattableString.Invariant($"LogitBias of id {id} is {bias}");

        foreach (var (name, ids) in new (string, IEnumerable<int>)[]
        {
            (nameof(LogitBias), LogitBias.Keys), (nameof(StopIds), StopIds), (nameof(BadWordIds), BadWordIds.SelectMany(run => run)),
        })
        {
            foreach (var id in ids.Where(id => id < 0 || id >= vocabSize).Distinct())
                yield return $"{name} has {id}, which is no id of this model's {vocabSize}";
        }
    }
}
