// The words that a model was taught to see around the turns of a conversation. Only the words: how a prompt is put together
// from them is ChatPrompt.cs.

namespace NanoGpt.Chat;

/// <summary>What stands before and after each turn of a conversation, so that a model knows who speaks. Immutable.</summary>
/// <remarks>
/// A model answers well only in the form that it was trained on. Special tokens of the vocabulary in these marks, such as
/// <c>&lt;|endoftext|&gt;</c>, become their ids; in what people write they stay ordinary text. Marks that are no special tokens are
/// text like any other: who writes <c>&lt;bot&gt;</c> in a message can make the model believe that it spoke.
/// </remarks>
public sealed record ChatTemplate
{
    /// <summary>The transcript of nanoGPT's chat script: <c>&lt;human&gt;question&lt;endOfText&gt;&lt;bot&gt;answer&lt;endOfText&gt;</c>.</summary>
    public static ChatTemplate NanoGpt { get; } = new()
    {
        BeforeUser = "<human>", AfterUser = "<endOfText>", BeforeAssistant = "<bot>", AfterAssistant = "<endOfText>", StopStrings = ["<human>"],
    };

    /// <summary>Nothing around the turns: the model continues the text that they make together. For models that know no conversations.</summary>
    public static ChatTemplate Plain { get; } = new();

    /// <summary>The form of DialoGPT, a GPT-2 trained on conversations: the end-of-text token after each turn.</summary>
    public static ChatTemplate DialoGpt { get; } = new() { AfterUser = "<|endoftext|>", AfterAssistant = "<|endoftext|>" };

    /// <summary>Before the instructions and system messages.</summary>
    /// <value>Default empty.</value>
    public string BeforeSystem { get; init; } = "";

    /// <summary>After the instructions and system messages.</summary>
    /// <value>Default empty.</value>
    public string AfterSystem { get; init; } = "";

    /// <summary>Before what the user says.</summary>
    /// <value>Default empty.</value>
    public string BeforeUser { get; init; } = "";

    /// <summary>After what the user says.</summary>
    /// <value>Default empty.</value>
    public string AfterUser { get; init; } = "";

    /// <summary>Before what the model says. A prompt ends with it.</summary>
    /// <value>Default empty.</value>
    public string BeforeAssistant { get; init; } = "";

    /// <summary>After what the model says. It ends an answer, and is not part of it.</summary>
    /// <value>Default empty: an answer ends by its length, or where the model ends the text.</value>
    public string AfterAssistant { get; init; } = "";

    /// <summary>Further texts that end an answer, such as the beginning of the user's next turn.</summary>
    /// <value>Default empty. No text is empty.</value>
    public IReadOnlyList<string> StopStrings { get; init; } = [];
}
