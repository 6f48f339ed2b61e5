// The talking of the chat command: reads lines, obeys those that begin with a slash, streams answers. Where nobody watches,
// answers alone are written, a line each.

using System.Text;
using Microsoft.Extensions.AI;
using NanoGpt.Chat;
using NanoGpt.Samples.CommandLine;
using NanoGpt.Samples.Terminal;

namespace NanoGpt.Samples.Commands;

internal sealed class ChatDialogue(IChatClient client, Conversation conversation, Session session)
{
    private const string Words = "/reset  /save FILE  /load FILE  /system TEXT  /exit";
    private Conversation conversation = conversation;

    public async Task RunAsync()
    {
        ShowTurns();
        Note(Words);
        while (true)
        {
            ShowName("you");
            if (await ReadLineAsync() is not { } line) break;
            if (line.Trim() == "/exit") return;
            if (line.StartsWith('/')) Obey(line);
            else if (line.Trim().Length > 0) await AnswerAsync(line);
        }

        if (session.Output.IsTerminal) session.Output.Line(); // after "you: "
    }

    private bool IsWatched => session.Output.IsTerminal;

    /// <summary>The next line; null at the end of the input, or when the program is to end.</summary>
    private async Task<string?> ReadLineAsync()
    {
        try
        {
            return await Task.Run(Console.In.ReadLine).WaitAsync(session.Stop.Token);
        }
        catch (OperationCanceledException)
        {
            return null;
        }
    }

    private void Obey(string line)
    {
        try
        {
            switch (line.TrimEnd().Split(' ', 2))
            {
                case ["/reset"]:
                    conversation.Clear();
                    Note("forgotten");
                    break;
                case ["/system", .. var text]:
                    conversation.Clear();
                    conversation.Instructions = text.FirstOrDefault("");
                    Note(text.Length > 0 ? "a new conversation with that before it" : "a new conversation with nothing before it");
                    break;
                case ["/save", var file]:
                    conversation.Save(file);
                    Note($"{file}: {conversation.Turns.Count} turns saved");
                    break;
                case ["/load", var file]:
                    conversation = Conversation.Load(file);
                    ShowTurns();
                    break;
                default:
                    Note(Words);
                    break;
            }
        }
        catch (Exception e) when (e is NanoGptException or IOException or UnauthorizedAccessException or ArgumentException)
        {
            Complain(e);
        }
    }

    private async Task AnswerAsync(string question)
    {
        conversation.Add(ChatRole.User, question);
        ShowName("bot");
        var answer = new StringBuilder();
        try
        {
            await session.Stop.RunPartAsync(stop => StreamAsync(answer, stop));
            conversation.Add(ChatRole.Assistant, answer.ToString());
            session.Output.Line();
        }
        catch (Exception e) when (e is NanoGptException or ArgumentException) // a character that the vocabulary lacks, say
        {
            conversation.RemoveLast();
            if (IsWatched) session.Output.Line(); // after "bot: "
            Complain(e);
        }
    }

    private async Task StreamAsync(StringBuilder answer, CancellationToken stop)
    {
        try
        {
            await foreach (var update in client.GetStreamingResponseAsync(conversation.ToMessages(), cancellationToken: stop))
            {
                session.Output.Write(update.Text);
                answer.Append(update.Text);
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            session.Output.Write(session.Output.Paint(Ink.Dim, " (stopped)"));
        }
    }

    private void ShowTurns()
    {
        if (!IsWatched) return;
        foreach (var turn in conversation.Turns)
        {
            ShowName(turn.Role == ChatRole.User ? "you" : "bot");
            session.Output.Line(turn.Text);
        }
    }

    private void ShowName(string name)
    {
        if (IsWatched) session.Output.Write(session.Output.Paint(name == "you" ? Ink.Cyan : Ink.Green, name + ": "));
    }

    private void Note(string text)
    {
        if (IsWatched) session.Output.Line(session.Output.Paint(Ink.Dim, text));
    }

    private void Complain(Exception e)
    {
        session.Status.Line($"{session.Status.Paint(Ink.Red, "nanogpt chat:")} {ErrorLine.For(e)}");
    }
}
