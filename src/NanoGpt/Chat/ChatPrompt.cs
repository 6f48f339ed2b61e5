// From the turns of a conversation to the ids that a model continues. Where not all of it fits into the context, the oldest
// turns go; what the model was told before the first turn stays.

using System.Text;
using Microsoft.Extensions.AI;
using NanoGpt.Tokenization;

namespace NanoGpt.Chat;

/// <summary>Writes conversations in the form of one template.</summary>
/// <param name="template">The words around the turns.</param>
/// <param name="tokenizer">The model's vocabulary.</param>
internal sealed class ChatPrompt(ChatTemplate template, Tokenizer tokenizer)
{
    /// <summary>The ids of a conversation, with the beginning of the answer at the end.</summary>
    /// <param name="system">What the model is told before the first turn.</param>
    /// <param name="turns">What has been said, the oldest first; roles user and assistant.</param>
    /// <param name="budget">
    /// Ids that there should be at most. The newest turn and the system texts are never left out, so there may be more.
    /// </param>
    public IReadOnlyList<int> Encode(IReadOnlyList<string> system, IReadOnlyList<ConversationTurn> turns, int budget)
    {
        var start = FirstTurnByMeasure(system, turns, budget);
        var ids = EncodeFrom(start, system, turns);

        // Turns were measured one by one; together they take a few ids more or less.
        while (ids.Count > budget && start < turns.Count - 1) ids = EncodeFrom(++start, system, turns);
        while (start > 0 && EncodeFrom(start - 1, system, turns) is var longer && longer.Count <= budget) (start, ids) = (start - 1, longer);

        // An answer whose question is gone would only mislead.
        var question = start;
        while (question > 0 && question < turns.Count - 1 && turns[question].Role == ChatRole.Assistant) question++;
        return question == start ? ids : EncodeFrom(question, system, turns);
    }

    /// <summary>Adds what ends an answer to the caller's own ends.</summary>
    public GenerationOptions WithEnds(GenerationOptions options)
    {
        var end = template.AfterAssistant;
        if (end.Length > 0 && IsSpecial(end)) options = options with { StopIds = [.. options.StopIds, tokenizer.Encode(end, allowSpecial: true)[0]] };
        else if (end.Length > 0) options = options with { StopStrings = [.. options.StopStrings, end] };
        return options with { StopStrings = [.. options.StopStrings, .. template.StopStrings] };
    }

    /// <summary>Where to begin if each turn had its own ids. Looks at no more turns than fit, however long the conversation is.</summary>
    private int FirstTurnByMeasure(IReadOnlyList<string> system, IReadOnlyList<ConversationTurn> turns, int budget)
    {
        var room = budget - EncodeFrom(turns.Count, system, turns).Count;
        var start = turns.Count;
        while (start > 0 && (room -= Encode(Around(turns[start - 1])).Count) >= 0) start--;
        return Math.Min(start, Math.Max(0, turns.Count - 1));
    }

    private List<int> EncodeFrom(int start, IReadOnlyList<string> system, IReadOnlyList<ConversationTurn> turns) => Encode(
    [
        .. system.SelectMany(text => Pieces(template.BeforeSystem, text, template.AfterSystem)),
        .. turns.Skip(start).SelectMany(Around),
        (template.BeforeAssistant, true),
    ]);

    private IEnumerable<(string Text, bool IsMark)> Around(ConversationTurn turn) => turn.Role == ChatRole.Assistant
        ? Pieces(template.BeforeAssistant, turn.Text, template.AfterAssistant)
        : Pieces(template.BeforeUser, turn.Text, template.AfterUser);

    private static (string Text, bool IsMark)[] Pieces(string before, string text, string after) => [(before, true), (text, false), (after, true)];

    /// <summary>
    /// The ids of the pieces as one text, which is how transcripts are encoded for training; special tokens are found in marks only.
    /// </summary>
    private List<int> Encode(IEnumerable<(string Text, bool IsMark)> pieces)
    {
        var ids = new List<int>();
        var text = new StringBuilder();
        foreach (var (piece, isMark) in pieces)
        {
            if (isMark && IsSpecial(piece))
            {
                ids.AddRange(tokenizer.Encode(text.ToString()));
                text.Clear();
                ids.AddRange(tokenizer.Encode(piece, allowSpecial: true));
            }
            else
            {
                text.Append(piece);
            }
        }

        ids.AddRange(tokenizer.Encode(text.ToString()));
        return ids;
    }

    /// <summary>Whether a mark has a special token in it.</summary>
    private bool IsSpecial(string mark)
    {
        try
        {
            return !tokenizer.Encode(mark, allowSpecial: true).SequenceEqual(tokenizer.Encode(mark));
        }
        catch (ArgumentException e)
        {
            throw new ArgumentException(
                $"The chat template's mark '{mark}' cannot be written in this model's vocabulary, so the model was not trained on it. "
                + $"Use ChatTemplate.Plain, or a template of characters that the model knows. ({e.Message})", e);
        }
    }
}
