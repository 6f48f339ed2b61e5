// A conversation in the terminal, with the transcript that nanoGPT's chat scripts use:
// <human>question<endOfText><bot>answer<endOfText>, all of it the prompt of the next answer.

using System.Text;
using NanoGpt.Samples.Terminal;

namespace NanoGpt.Samples.Commands;

internal sealed record ChatOptions
{
    public ModelOptions Source { get; init; } = new();

    /// <summary>What stands before the first question.</summary>
    public string System { get; init; } = "";

    public GenerationOptions Generation { get; init; } = new() { MaxNewTokens = 100, Temperature = 0.8, TopK = 5 };
}

internal sealed class ChatCommand : Command<ChatOptions>
{
    private const string Human = "<human>", Bot = "<bot>", End = "<endOfText>";

    public override string Name => "chat";

    public override string Summary => "talk with a model that was trained on conversations";

    public override IReadOnlyList<string> Examples =>
    [
        "chat --init_from=huggingface --model=VatsaDev/ChatGpt-nano", "chat --out_dir=out", "chat --init_from=my-chat --top_k=40",
    ];

    public override string Remarks =>
        "/reset forgets the conversation, /save FILE writes it, /system TEXT starts anew with that text before it,\n"
        + "/exit ends. Ctrl-C stops an answer; at the question it ends the program.";

    public override bool TakesConfigFiles => true;

    protected override async Task RunAsync(ChatOptions options, Session session)
    {
        using var gpt = await options.Source.OpenAsync(session);
        using var generator = new Generator(gpt);
        var settings = options.Generation with { StopStrings = [.. options.Generation.StopStrings, End] };
        var system = options.System;
        var transcript = new StringBuilder(system);
        var screen = session.Output;

        while (true)
        {
            screen.Write(screen.Paint(Ink.Bold, "you: "));
            var line = await Task.Run(Console.In.ReadLine).WaitAsync(session.Stop.Token);
            if (line is null or "/exit") return;
            switch (line.Split(' ', 2))
            {
                case ["/reset"]:
                    transcript.Clear().Append(system);
                    continue;
                case ["/system", var text]:
                    transcript.Clear().Append(system = text);
                    continue;
                case ["/save", var file]:
                    File.WriteAllText(file, transcript.ToString());
                    screen.Line($"{file}: saved");
                    continue;
                case [['/', ..], ..]:
                    screen.Line("/reset, /save FILE, /system TEXT, /exit");
                    continue;
                case [""]:
                    continue;
            }

            transcript.Append(Human).Append(line).Append(End).Append(Bot);
            screen.Write(screen.Paint(Ink.Bold, "bot: "));
            await AnswerAsync(generator, transcript, settings, session);
        }
    }

    private static async Task AnswerAsync(Generator generator, StringBuilder transcript, GenerationOptions settings, Session session)
    {
        var prompt = transcript.ToString();
        await session.Stop.RunPartAsync(async stop =>
        {
            try
            {
                await foreach (var piece in generator.GenerateStreamingAsync(prompt, settings, stop))
                {
                    session.Output.Write(piece);
                    transcript.Append(piece);
                }
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                session.Output.Write(" ...");
            }
        });
        transcript.Append(End);
        session.Output.Line();
    }
}
