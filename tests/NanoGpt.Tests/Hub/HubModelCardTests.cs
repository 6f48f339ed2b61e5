using NanoGpt.Hub;

namespace NanoGpt.Tests.Hub;

public sealed class HubModelCardTests
{
    [Fact]
    public void A_card_says_what_is_known_and_nothing_else()
    {
        var card = new HubModelCard { Name = "Bard", BaseModel = "openai-community/gpt2", Iterations = 20, ValidationLoss = 3.125 };
        Assert.Equal("""
            ---
            library_name: "transformers"
            pipeline_tag: "text-generation"
            base_model: "openai-community/gpt2"
            tags:
            - "gpt2"
            - "nanogpt"
            ---

            # Bard

            - Base model: openai-community/gpt2
            - Iterations: 20
            - Validation loss: 3.1250

            """.ReplaceLineEndings("\n"), card.ToMarkdown());
    }

    [Fact]
    public void A_full_card_has_its_languages_above_and_its_words_and_losses_below()
    {
        var markdown = new HubModelCard
        {
            Name = "Bard", Languages = ["en", "de"], Dataset = "tinyshakespeare", Description = "Writes like the plays.", TrainLoss = 2.5,
        }.ToMarkdown();
        Assert.Contains("language:\n- \"en\"\n- \"de\"\ntags:", markdown, StringComparison.Ordinal);
        Assert.Contains("# Bard\n\nWrites like the plays.\n\n- Trained on: tinyshakespeare\n- Training loss: 2.5000\n", markdown, StringComparison.Ordinal);
    }

    [Fact]
    public void Nothing_in_a_value_ends_the_head_or_the_table()
    {
        var markdown = new HubModelCard
        {
            Name = "a\n---\nb",
            License = "mit\n---\ngated: false",
            Settings = new Dictionary<string, string> { ["x"] = "1 | 2\n| 3 |" },
        }.ToMarkdown();
        Assert.Equal(2, markdown.Split('\n').Count(line => line == "---"));
        Assert.Contains("| x | 1 \\| 2 \\| 3 \\| |", markdown, StringComparison.Ordinal);
    }

    [Fact]
    public void A_card_that_somebody_wrote_is_left_alone()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.At("README.md"), "mine");
        Assert.False(new HubModelCard { Name = "x" }.WriteTo(folder.Path));
        Assert.Equal("mine", File.ReadAllText(folder.At("README.md")));
    }
}
