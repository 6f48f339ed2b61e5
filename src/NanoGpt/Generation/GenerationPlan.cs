// Generation options made ready for one model: texts turned into ids, ends gathered. Checked here, once, before anything runs.

using NanoGpt.Inference;
using NanoGpt.Tokenization;

namespace NanoGpt.Generation;

/// <summary>What all sequences of one generation share. Immutable.</summary>
internal sealed class GenerationPlan
{
    private readonly HashSet<int> _endOfText = [];
    private readonly HashSet<int> _stopIds;

    /// <summary>Checks the options against the model.</summary>
    /// <param name="options">The options.</param>
    /// <param name="config">The model's.</param>
    /// <param name="tokenizer">Null for ids in and ids out.</param>
    /// <exception cref="ArgumentException">An option is out of its range, or needs a vocabulary where there is none.</exception>
    public GenerationPlan(GenerationOptions options, GPTConfig config, Tokenizer? tokenizer)
    {
        options.Validate(config.VocabSize);
        (Options, Tokenizer) = (options, tokenizer);
        if (tokenizer is null && (options.StopStrings.Count > 0 || options.BadWords.Count > 0))
            throw new ArgumentException("StopStrings and BadWords need a model with a vocabulary; use StopIds and BadWordIds.", nameof(options));

        // A model may have more embeddings than its vocabulary has tokens (nanoGPT rounds 50257 up to 50304).
        UsableIds = Math.Min(config.VocabSize, tokenizer?.VocabSize ?? int.MaxValue);
        _stopIds = [.. options.StopIds];
        if (options.StopAtEndOfText)
        {
            if (tokenizer?.EndOfTextId is { } end) _endOfText.Add(end);
            if (config.EosTokenId is { } eos) _endOfText.Add(eos);
        }

        var endIds = _endOfText.Union(_stopIds).Where(id => id < UsableIds).ToArray();
        Rules = new LogitsRules(options, [.. options.BadWordIds, .. options.BadWords.SelectMany(EncodeBadWord)], endIds);
    }

    public GenerationOptions Options { get; }

    public Tokenizer? Tokenizer { get; }

    public LogitsRules Rules { get; }

    /// <summary>Ids below this can be generated.</summary>
    public int UsableIds { get; }

    /// <summary>Why that id ends a text, or null where it does not.</summary>
    public FinishReason? EndBy(int id) =>
        _endOfText.Contains(id) ? FinishReason.EndOfText : _stopIds.Contains(id) ? FinishReason.StopId : null;

    private IEnumerable<IReadOnlyList<int>> EncodeBadWord(string word)
    {
        yield return Tokenizer!.Encode(word);
        if (Tokenizer is Gpt2Tokenizer) yield return Tokenizer.Encode(" " + word);
    }
}
