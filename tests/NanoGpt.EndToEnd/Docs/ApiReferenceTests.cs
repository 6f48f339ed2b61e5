// docs/api.md against the library: generated, so it is compared, and written anew where that is asked for.

using NanoGpt.EndToEnd.Package;

namespace NanoGpt.EndToEnd.Docs;

public sealed class ApiReferenceTests
{
    [Fact]
    public void The_reference_is_what_the_library_says()
    {
        var comments = new XmlComments(Path.Combine(AppContext.BaseDirectory, "NanoGpt.xml"));
        var reference = ApiReference.Write(typeof(GPTConfig).Assembly, comments);
        var path = Repository.File("docs", "api.md");
        if (Environment.GetEnvironmentVariable("NANOGPT_WRITE_DOCS") == "1") File.WriteAllText(path, reference);
        Assert.True(File.ReadAllText(path) == reference,
            "docs/api.md is not what the library's documentation says. NANOGPT_WRITE_DOCS=1 with this test writes it anew.");
    }

    [Fact]
    public void Every_public_member_has_words() // a constructor without parameters speaks for itself
    {
        var reference = File.ReadAllLines(Repository.File("docs", "api.md"));
        Assert.DoesNotContain(reference, line => line.StartsWith("| `", StringComparison.Ordinal) && !line.Contains("()` |  |", StringComparison.Ordinal) && line.EndsWith("` |  |", StringComparison.Ordinal));
    }
}
