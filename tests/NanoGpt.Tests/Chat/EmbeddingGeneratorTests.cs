using System.Text;
using Microsoft.Extensions.AI;
using NanoGpt.Chat;
using NanoGpt.Tests.Inference;
using NanoGpt.Tokenization;

namespace NanoGpt.Tests.Chat;

/// <summary>Vectors of texts are transformers' hidden states after ln_f.</summary>
public sealed class EmbeddingGeneratorTests : IDisposable
{
    private const double Tolerance = 1e-4; // float32 noise of these states is some 1e-5; another norm or layer is off by more than 1e-2

    private readonly TemporaryFolder _folder = new();
    private readonly GPT _gpt;

    /// <summary>The reference model with a vocabulary of 1000 characters, so that there is a text for any ids.</summary>
    public EmbeddingGeneratorTests()
    {
        foreach (var file in Directory.GetFiles(Vectors.Path("tiny-gpt2", "prefixed-tied"))) File.Copy(file, _folder.File(Path.GetFileName(file)));
        new CharacterTokenizer(Enumerable.Range(0, 1000).Select(CharacterOf)).Save(_folder.Path);
        _gpt = GPT.FromPretrained(_folder.Path);
    }

    public void Dispose()
    {
        _gpt.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData(EmbeddingPooling.Mean)]
    [InlineData(EmbeddingPooling.Last)]
    public async Task Vectors_equal_the_hidden_states_of_transformers(EmbeddingPooling pooling)
    {
        using var reference = new TensorFile(Vectors.Path("tiny-gpt2", "reference-base", "reference.safetensors"));
        using var generator = _gpt.AsEmbeddingGenerator(pooling);
        foreach (var name in new[] { "b2x7", "b3x16" })
        {
            var shape = reference.Shape($"{name}.hidden.ln_f"); // (B, T, C)
            var (batch, length, width) = ((int)shape[0], (int)shape[1], (int)shape[2]);
            var ids = reference.Ids($"{name}.input_ids");
            var states = reference.Floats($"{name}.hidden.ln_f");
            var texts = ids.Chunk(length).Select(row => string.Concat(row.Select(CharacterOf))).ToList();

            var embeddings = await generator.GenerateAsync(texts);

            Assert.Equal(batch * length, embeddings.Usage!.InputTokenCount);
            for (var b = 0; b < batch; b++)
            {
                for (var c = 0; c < width; c++)
                {
                    var column = Enumerable.Range(0, length).Select(t => states[(b * length + t) * width + c]).ToList();
                    Assert.Equal(pooling == EmbeddingPooling.Mean ? column.Average() : column[^1], embeddings[b].Vector.Span[c], Tolerance);
                }
            }
        }
    }

    [Fact]
    public async Task Many_texts_give_what_each_gives_alone()
    {
        using var generator = _gpt.AsEmbeddingGenerator(modelId: "tiny");
        var texts = Enumerable.Range(0, 21).Select(i => string.Concat(Enumerable.Range(0, 1 + i * 3).Select(t => CharacterOf((7 * i + t) % 1000)))).ToList();
        var together = await generator.GenerateAsync(texts, new() { Dimensions = 32, ModelId = "tiny" });
        Assert.Equal(texts.Count, together.Count);
        for (var i = 0; i < texts.Count; i++)
        {
            var alone = await generator.GenerateVectorAsync(texts[i]);
            for (var c = 0; c < alone.Length; c++) Assert.Equal(alone.Span[c], together[i].Vector.Span[c], Tolerance);
        }

        Assert.All(together, embedding => Assert.Equal("tiny", embedding.ModelId));
    }

    [Fact]
    public async Task What_cannot_be_embedded_is_refused()
    {
        using var generator = _gpt.AsEmbeddingGenerator(modelId: "tiny");
        async Task Refused(string reason, string text, EmbeddingGenerationOptions? options = null) => Assert.Contains(
            reason, (await Assert.ThrowsAnyAsync<ArgumentException>(() => generator.GenerateAsync(["!", text], options))).Message, StringComparison.Ordinal);

        await Refused("Text 1 has 0 tokens", "");
        await Refused("Text 1 has 65 tokens", new string('!', 65));
        await Refused("Dimensions is 16", "!", new() { Dimensions = 16 });
        await Refused("ModelId is 'other'", "!", new() { ModelId = "other" });
        Assert.Empty(await generator.GenerateAsync([]));
    }

    [Fact]
    public void It_tells_what_is_behind_it()
    {
        using var generator = _gpt.AsEmbeddingGenerator(modelId: "tiny");
        var metadata = generator.GetService<EmbeddingGeneratorMetadata>()!;
        Assert.Equal(("nanogpt", "tiny", 32), (metadata.ProviderName, metadata.DefaultModelId, metadata.DefaultModelDimensions));
        Assert.Same(_gpt, generator.GetService<GPT>());
        Assert.Null(generator.GetService(typeof(GPT), "key"));
    }

    private static Rune CharacterOf(int id) => new('!' + id);
}
