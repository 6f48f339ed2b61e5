// A conversation that a program holds between two questions, and keeps in a file between two runs. It knows no model: the same
// conversation can go on with another.

using Microsoft.Extensions.AI;

namespace NanoGpt.Chat;

/// <summary>Instructions and the turns so far. Not safe for concurrent use.</summary>
public sealed class Conversation
{
    private readonly List<ConversationTurn> _turns = [];

    /// <summary>What the model is told before the first turn; empty for nothing.</summary>
    public string Instructions { get; set; } = "";

    /// <summary>What has been said, the oldest first.</summary>
    public IReadOnlyList<ConversationTurn> Turns => _turns;

    /// <summary>Adds a turn.</summary>
    /// <param name="role"><see cref="ChatRole.User"/> or <see cref="ChatRole.Assistant"/>.</param>
    /// <param name="text">What was said.</param>
    /// <exception cref="ArgumentException">The role is another.</exception>
    public void Add(ChatRole role, string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (role != ChatRole.User && role != ChatRole.Assistant)
            throw new ArgumentException($"A turn has the role '{role}'; it must be user or assistant. For what the model is told there is Instructions.", nameof(role));
        _turns.Add(new ConversationTurn(role, text));
    }

    /// <summary>Forgets all turns. The instructions stay.</summary>
    public void Clear() => _turns.Clear();

    /// <summary>Takes back the last turn.</summary>
    /// <exception cref="InvalidOperationException">There is none.</exception>
    public void RemoveLast()
    {
        if (_turns.Count == 0) throw new InvalidOperationException("The conversation has no turn that could be taken back.");
        _turns.RemoveAt(_turns.Count - 1);
    }

    /// <summary>The conversation as an <see cref="IChatClient"/> wants it.</summary>
    public IReadOnlyList<ChatMessage> ToMessages()
    {
        var messages = new List<ChatMessage>();
        if (Instructions.Length > 0) messages.Add(new ChatMessage(ChatRole.System, Instructions));
        messages.AddRange(_turns.Select(turn => new ChatMessage(turn.Role, turn.Text)));
        return messages;
    }

    /// <summary>Writes the conversation to a file, as JSON. The file appears whole or not at all.</summary>
    /// <param name="path">The file; one that is there is replaced.</param>
    /// <exception cref="IOException">The file cannot be written; what was there is still there.</exception>
    /// <exception cref="UnauthorizedAccessException">The same, for want of rights.</exception>
    public void Save(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        ConversationFile.Write(path, this);
    }

    /// <summary>Reads a conversation from a file.</summary>
    /// <param name="path">A file that <see cref="Save"/> wrote, of at most 16 MB.</param>
    /// <exception cref="ModelFormatException">The file is missing, too large, or no conversation.</exception>
    public static Conversation Load(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        return ConversationFile.Read(path);
    }
}
