using System.Text.Json;

namespace NanoGpt.Tests.Formats;

/// <summary>The cases of a folder under Vectors/bad, as its index.json lists them.</summary>
internal static class Verdicts
{
    public static TheoryData<string, string> Read(string topic, string key)
    {
        // Python wrote NaN for the logits of one case, which JSON does not know.
        using var index = JsonDocument.Parse(File.ReadAllText(Vectors.Path("bad", topic, "index.json")).Replace("NaN", "null"));
        var cases = index.RootElement.ValueKind == JsonValueKind.Array ? index.RootElement : index.RootElement.GetProperty("cases");
        var data = new TheoryData<string, string>();
        foreach (var item in cases.EnumerateArray()) data.Add(item.GetProperty(key).GetString()!, item.GetProperty("must").GetString()!);
        return data;
    }

    /// <summary>Runs <paramref name="read"/> and holds what happens against the verdict. Returns the refusal, if it was one.</summary>
    public static ModelFormatException? Check(string must, Action read)
    {
        var thrown = Record.Exception(read);
        Assert.True(thrown is null or ModelFormatException, $"untyped: {thrown}");
        if (must == "accept") Assert.Null(thrown);
        if (must == "reject") Assert.NotNull(thrown);
        return (ModelFormatException?)thrown;
    }
}
