// Texts to vectors behind the interface that .NET uses for it: the hidden states after ln_f. GPT-2 was not trained to embed; the
// vectors serve for rough likeness, and as features.

using Microsoft.Extensions.AI;

namespace NanoGpt.Chat;

/// <summary>Embeds texts. Safe for concurrent use.</summary>
internal sealed class GPTEmbeddingGenerator : IEmbeddingGenerator<string, Embedding<float>>
{
    /// <summary>Texts that are computed together: bounds the memory for their keys and values.</summary>
    private const int TogetherAtMost = 8;

    private readonly GPT _gpt;
    private readonly EmbeddingPooling _pooling;
    private readonly string? _modelId;
    private readonly Generator? _shared;
    private readonly Generator _generator;

    public GPTEmbeddingGenerator(GPT gpt, EmbeddingPooling pooling, string? modelId, Generator? shared)
    {
        (_gpt, _pooling, _modelId, _shared) = (gpt, pooling, modelId, shared);
        _generator = shared ?? new Generator(gpt);
    }

    public async Task<GeneratedEmbeddings<Embedding<float>>> GenerateAsync(
        IEnumerable<string> values, EmbeddingGenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(values);
        Check(options);
        var texts = values.Select(Encode).ToList();
        var created = DateTimeOffset.UtcNow;
        var embeddings = new GeneratedEmbeddings<Embedding<float>>(texts.Count);
        foreach (var together in texts.Chunk(TogetherAtMost))
        {
            var states = await Task.WhenAll(together.Select(ids => _generator.HiddenStatesAsync(ids, cancellationToken))).ConfigureAwait(false);
            embeddings.AddRange(states.Select(state => new Embedding<float>(Pool(state)) { ModelId = _modelId, CreatedAt = created }));
        }

        var count = texts.Sum(ids => (long)ids.Count);
        embeddings.Usage = new UsageDetails { InputTokenCount = count, TotalTokenCount = count };
        return embeddings;
    }

    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        if (serviceKey is not null) return null;
        var metadata = new EmbeddingGeneratorMetadata("nanogpt", providerUri: null, _modelId, _gpt.Config.NEmbd);
        return new object[] { metadata, _gpt, _generator, this }.FirstOrDefault(serviceType.IsInstanceOfType);
    }

    public void Dispose()
    {
        if (_shared is null) _generator.Dispose();
    }

    private void Check(EmbeddingGenerationOptions? options)
    {
        if (options?.Dimensions is { } dimensions && dimensions != _gpt.Config.NEmbd)
            throw new ArgumentException($"EmbeddingGenerationOptions.Dimensions is {dimensions}; this model's vectors have {_gpt.Config.NEmbd} numbers.", nameof(options));
        if (options?.ModelId is { } asked && _modelId is not null && asked != _modelId)
            throw new ArgumentException($"EmbeddingGenerationOptions.ModelId is '{asked}', and this generator has '{_modelId}' only.", nameof(options));
    }

    private IReadOnlyList<int> Encode(string text, int index)
    {
        ArgumentNullException.ThrowIfNull(text, "values");
        var ids = _gpt.Tokenizer.Encode(text);
        var context = _gpt.Config.BlockSize;
        return ids.Count > 0 && ids.Count <= context ? ids : throw new ArgumentException(
            $"Text {index} has {ids.Count} tokens; this model embeds texts of 1 to {context}. Split a longer one.");
    }

    private float[] Pool(float[] states) // (T, C) -> (C)
    {
        var width = _gpt.Config.NEmbd;
        var pooled = states[^width..];
        if (_pooling == EmbeddingPooling.Last) return pooled;
        for (var t = 0; t < states.Length - width; t += width)
        {
            for (var c = 0; c < width; c++) pooled[c] += states[t + c];
        }

        for (var c = 0; c < width; c++) pooled[c] /= states.Length / width;
        return pooled;
    }
}
