// A GPT for programs that get what they need from a container. In the namespace where .NET keeps such methods.

using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using NanoGpt;
using NanoGpt.Chat;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers a model.</summary>
public static class NanoGptServiceCollectionExtensions
{
    /// <summary>
    /// Registers <see cref="GPT"/>, <see cref="Generator"/>, <see cref="IChatClient"/> and <see cref="IEmbeddingGenerator{TInput, TEmbedding}"/>
    /// of text to <see cref="Embedding{T}"/> of float, each once for the container, which disposes them.
    /// </summary>
    /// <remarks>The model is loaded when the first of them is asked for. What is registered already stays as it is.</remarks>
    /// <param name="services">The container to be.</param>
    /// <param name="model">A folder, a file or a Hub id, as for <see cref="GPT.FromPretrained(string, PretrainedOptions?)"/>; also the model's name in answers.</param>
    /// <param name="configure">Changes the options, or null for the defaults.</param>
    /// <exception cref="ArgumentException"><paramref name="model"/> is empty.</exception>
    public static IServiceCollection AddNanoGpt(this IServiceCollection services, string model, Action<NanoGptServiceOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentException.ThrowIfNullOrWhiteSpace(model);
        var options = new NanoGptServiceOptions();
        configure?.Invoke(options);
        var name = options.Chat.ModelId ?? Path.GetFileName(Path.TrimEndingDirectorySeparator(model));

        services.TryAddSingleton(provider => GPT.FromPretrained(model, options.Pretrained with
        {
            LoggerFactory = options.Pretrained.LoggerFactory ?? provider.GetService<ILoggerFactory>(),
        }));
        services.TryAddSingleton(provider => new Generator(provider.GetRequiredService<GPT>(), options.Limits));
        services.TryAddSingleton(provider => provider.GetRequiredService<GPT>().AsChatClient(options.Chat with
        {
            ModelId = name,
            Generator = options.Chat.Generator ?? provider.GetRequiredService<Generator>(),
        }));
        services.TryAddSingleton(provider => provider.GetRequiredService<GPT>().AsEmbeddingGenerator(
            options.Pooling, name, provider.GetRequiredService<Generator>()));
        return services;
    }
}
