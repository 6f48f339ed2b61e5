// A conversation in the terminal: which model, which form, which file to go on with. The talking is ChatDialogue.cs.

using NanoGpt.Chat;
using NanoGpt.Samples.CommandLine;

namespace NanoGpt.Samples.Commands;

/// <summary>The forms of conversation that the library knows.</summary>
internal enum ChatForm
{
    NanoGpt,
    DialoGpt,
    Plain,
}

internal sealed record ChatOptions
{
    [Without(nameof(ModelOptions.Model))]
    public ModelOptions Source { get; init; } = new();

    /// <summary>The Hub id or folder that init_from=huggingface stands for.</summary>
    public string Model { get; init; } = "VatsaDev/ChatGpt-nano";

    /// <summary>What the model is told before the first question.</summary>
    public string System { get; init; } = "";

    /// <summary>A conversation that /save wrote, to go on with.</summary>
    public string Resume { get; init; } = "";

    /// <summary>How turns are marked: nanogpt (human and bot), dialogpt (end-of-text tokens), plain (not at all).</summary>
    public ChatForm Template { get; init; } = ChatForm.NanoGpt;

    [Without(nameof(GenerationOptions.ReturnSequences), nameof(GenerationOptions.LogProbabilities), nameof(GenerationOptions.Beams),
        nameof(GenerationOptions.LengthPenalty), nameof(GenerationOptions.EarlyStopping), nameof(GenerationOptions.AllowSpecialTokens))]
    public GenerationOptions Generation { get; init; } = new ChatClientOptions().Generation;
}

internal sealed class ChatCommand : Command<ChatOptions>
{
    public override string Name => "chat";

    public override string Summary => "talk with a model that was trained on conversations";

    public override IReadOnlyList<string> Examples =>
    [
        "chat --init_from=huggingface", "chat --out_dir=out --resume=talk.json", "chat --init_from=my-chat --top_k=40 --system=\"Be brief.\"",
    ];

    public override string Remarks =>
        "/reset forgets the conversation, /save FILE writes it, /load FILE reads it,\n"
        + "/system TEXT starts anew with that text before it, /exit ends.\n"
        + "Ctrl-C stops an answer; at the question it ends the program.";

    public override bool TakesConfigFiles => true;

    protected override async Task RunAsync(ChatOptions options, Session session)
    {
        options.Generation.Validate();
        var conversation = options.Resume.Length > 0 ? Conversation.Load(options.Resume) : new Conversation();
        if (session.Given.Contains("system")) conversation.Instructions = options.System;

        using var gpt = await (options.Source with { Model = options.Model }).OpenAsync(session);
        using var client = gpt.AsChatClient(new() { Template = TemplateOf(options.Template), Generation = options.Generation });
        await new ChatDialogue(client, conversation, session).RunAsync();
    }

    public static ChatTemplate TemplateOf(ChatForm form) => form switch
    {
        ChatForm.DialoGpt => ChatTemplate.DialoGpt,
        ChatForm.Plain => ChatTemplate.Plain,
        _ => ChatTemplate.NanoGpt,
    };
}
