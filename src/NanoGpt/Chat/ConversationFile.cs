// A conversation as a file:
//
//     { "version": 1, "instructions": "...", "turns": [{ "role": "user", "text": "..." }, { "role": "assistant", "text": "..." }] }
//
// A file may come from anywhere, so its size is looked at before it is read, and each value before it is believed.

using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;
using Microsoft.Extensions.AI;
using NanoGpt.IO;

namespace NanoGpt.Chat;

/// <summary>Reads and writes conversations.</summary>
internal static class ConversationFile
{
    private const int Version = 1;
    private const long LongestBytes = 16_000_000;
    private const int MostTurns = 100_000;

    private static readonly JsonWriterOptions Layout = new() { Indented = true, Encoder = JavaScriptEncoder.Create(UnicodeRanges.All) };
    private static readonly JsonDocumentOptions Bounds = new() { MaxDepth = 4 };

    public static void Write(string path, Conversation conversation) => AtomicFile.Write(path, stream =>
    {
        using var json = new Utf8JsonWriter(stream, Layout);
        json.WriteStartObject();
        json.WriteNumber("version", Version);
        json.WriteString("instructions", conversation.Instructions);
        json.WriteStartArray("turns");
        foreach (var turn in conversation.Turns)
        {
            json.WriteStartObject();
            json.WriteString("role", turn.Role.Value);
            json.WriteString("text", turn.Text);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    });

    /// <exception cref="ModelFormatException">It is missing, too large, or no conversation.</exception>
    public static Conversation Read(string path)
    {
        try
        {
            using var document = JsonDocument.Parse(ReadBytes(path), Bounds);
            return Read(path, document.RootElement);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ModelFormatException($"{path}: cannot be read. {e.Message}", e);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException) // the latter for strings of broken Unicode
        {
            throw Fault(path, $"not valid JSON ({e.Message})");
        }
    }

    private static byte[] ReadBytes(string path)
    {
        using var file = File.OpenRead(path);
        if (file.Length > LongestBytes) throw Fault(path, $"{file.Length} bytes; a conversation has at most {LongestBytes}");
        var bytes = new byte[file.Length];
        file.ReadExactly(bytes);
        return bytes;
    }

    private static Conversation Read(string path, JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object) throw Fault(path, $"is {root.ValueKind}; expected an object");
        if (!root.TryGetProperty("version", out var version) || version.ValueKind != JsonValueKind.Number || !version.TryGetInt32(out var number) || number != Version)
            throw Fault(path, $"'version' must be {Version}; this may be a file of another program, or of a later version of this one");

        var conversation = new Conversation { Instructions = Text(path, root, "instructions", "") };
        if (!root.TryGetProperty("turns", out var turns) || turns.ValueKind != JsonValueKind.Array) throw Fault(path, "'turns' must be an array");
        if (turns.GetArrayLength() > MostTurns) throw Fault(path, $"has {turns.GetArrayLength()} turns; a conversation has at most {MostTurns}");
        foreach (var turn in turns.EnumerateArray()) AddTurn(path, conversation, turn);
        return conversation;
    }

    private static void AddTurn(string path, Conversation conversation, JsonElement turn)
    {
        var where = $"{path}: turn {conversation.Turns.Count}";
        if (turn.ValueKind != JsonValueKind.Object) throw Fault(where, $"is {turn.ValueKind}; expected an object");
        var role = Text(where, turn, "role");
        if (role != ChatRole.User.Value && role != ChatRole.Assistant.Value)
            throw Fault(where, $"'role' is {UntrustedText.Quote(role)}; expected 'user' or 'assistant'");
        conversation.Add(new ChatRole(role), Text(where, turn, "text"));
    }

    private static string Text(string where, JsonElement holder, string name, string? otherwise = null)
    {
        if (!holder.TryGetProperty(name, out var value) && otherwise is not null) return otherwise;
        return value.ValueKind == JsonValueKind.String ? value.GetString()! : throw Fault(where, $"'{name}' must be a string");
    }

    private static ModelFormatException Fault(string where, string what) =>
        new($"{where}: {what}. A conversation is what Conversation.Save, or /save in the chat command, has written.");
}
