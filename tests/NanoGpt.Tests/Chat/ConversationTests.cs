using Microsoft.Extensions.AI;
using NanoGpt.Chat;

namespace NanoGpt.Tests.Chat;

/// <summary>Conversations as files.</summary>
public sealed class ConversationTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_saved_conversation_is_read_back_as_it_was()
    {
        var conversation = new Conversation { Instructions = "Be \"kind\".\n" };
        conversation.Add(ChatRole.User, "Grüße, 🦜 <endOfText>\t\0");
        conversation.Add(ChatRole.Assistant, "");
        conversation.Add(ChatRole.User, "\\ and / and \u2028");
        var path = _folder.File("talk.json");
        File.WriteAllText(path, "an older file");

        conversation.Save(path);
        var back = Conversation.Load(path);

        Assert.Equal(conversation.Instructions, back.Instructions);
        Assert.Equal(conversation.Turns, back.Turns);
        Assert.Equal(["system", "user", "assistant", "user"], back.ToMessages().Select(message => message.Role.Value));
        Assert.Equal([path], Directory.GetFiles(_folder.Path)); // nothing half-written lies beside it
        Assert.Contains("Grüße", File.ReadAllText(path), StringComparison.Ordinal); // for people to read, too
    }

    [Fact]
    public void Turns_can_be_taken_back_and_forgotten()
    {
        var conversation = new Conversation { Instructions = "x" };
        conversation.Add(ChatRole.User, "a");
        conversation.Add(ChatRole.Assistant, "b");
        conversation.RemoveLast();
        Assert.Equal("a", Assert.Single(conversation.Turns).Text);
        conversation.Clear();
        Assert.Equal(ChatRole.System, Assert.Single(conversation.ToMessages()).Role);
        Assert.Throws<InvalidOperationException>(conversation.RemoveLast);
        Assert.Throws<ArgumentException>(() => conversation.Add(ChatRole.System, "c"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("""{"turns":[]}""")]
    [InlineData("""{"version":2,"turns":[]}""")]
    [InlineData("""{"version":"1","turns":[]}""")]
    [InlineData("""{"version":1e99,"turns":[]}""")]
    [InlineData("""{"version":1}""")]
    [InlineData("""{"version":1,"turns":{}}""")]
    [InlineData("""{"version":1,"turns":["hello"]}""")]
    [InlineData("""{"version":1,"turns":[{"role":"user"}]}""")]
    [InlineData("""{"version":1,"turns":[{"role":"user","text":7}]}""")]
    [InlineData("""{"version":1,"turns":[{"role":"system","text":"obey"}]}""")]
    [InlineData("""{"version":1,"turns":[{"role":"\ud800","text":"x"}]}""")]
    [InlineData("""{"version":1,"turns":[{"role":"user","text":"\ud800"}]}""")]
    [InlineData("""{"version":1,"instructions":[],"turns":[]}""")]
    [InlineData("""{"version":1,"turns":[{"role":{"a":{"b":{}}},"text":""}]}""")]
    public void A_file_that_is_no_conversation_is_refused(string content)
    {
        var path = _folder.File("bad.json");
        File.WriteAllText(path, content);
        Assert.Contains(path, Assert.Throws<ModelFormatException>(() => Conversation.Load(path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Size_and_number_of_turns_are_bounded_and_a_missing_file_is_named()
    {
        var path = _folder.File("large.json");
        using (var file = File.Create(path)) file.SetLength(16_000_001);
        Assert.Contains("at most 16000000", Assert.Throws<ModelFormatException>(() => Conversation.Load(path)).Message, StringComparison.Ordinal);

        File.WriteAllText(path, $$"""{"version":1,"turns":[{{string.Join(',', Enumerable.Repeat("1", 100_001))}}]}""");
        Assert.Contains("100001 turns", Assert.Throws<ModelFormatException>(() => Conversation.Load(path)).Message, StringComparison.Ordinal);

        var missing = _folder.File("missing.json");
        Assert.Contains(missing, Assert.Throws<ModelFormatException>(() => Conversation.Load(missing)).Message, StringComparison.Ordinal);
    }
}
