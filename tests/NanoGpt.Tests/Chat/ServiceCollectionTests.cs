using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using NanoGpt.Chat;

namespace NanoGpt.Tests.Chat;

/// <summary>A GPT in a container.</summary>
public sealed class ServiceCollectionTests
{
    private static readonly string Folder = Vectors.Path("tiny-gpt2", "vocab50257");

    [Fact]
    public async Task One_model_is_loaded_for_all_services_and_disposed_with_the_container()
    {
        var services = new ServiceCollection().AddNanoGpt(Folder, options =>
        {
            options.Chat = options.Chat with { Template = ChatTemplate.Plain };
            options.Pooling = EmbeddingPooling.Last;
        });
        GPT gpt;
        using (var provider = services.BuildServiceProvider())
        {
            gpt = provider.GetRequiredService<GPT>();
            var chat = provider.GetRequiredService<IChatClient>();
            Assert.Same(chat, provider.GetRequiredService<IChatClient>());
            Assert.Same(gpt, chat.GetService<GPT>());
            Assert.Same(provider.GetRequiredService<Generator>(), chat.GetService<Generator>());
            var answer = await chat.GetResponseAsync("Hello", new() { MaxOutputTokens = 3, Temperature = 0 });
            Assert.Equal((gpt.Generate("Hello", new() { MaxNewTokens = 3, Temperature = 0 }), "vocab50257"), (answer.Text, answer.ModelId));

            var embeddings = provider.GetRequiredService<IEmbeddingGenerator<string, Embedding<float>>>();
            Assert.Equal(16, (await embeddings.GenerateVectorAsync("Hello")).Length);
        }

        Assert.Throws<ObjectDisposedException>(() => gpt.Generate("Hello"));
    }

    [Fact]
    public void Nothing_is_loaded_before_it_is_asked_for_and_the_container_s_log_is_used()
    {
        var log = new LogNames();
        using var provider = new ServiceCollection().AddSingleton<ILoggerFactory>(log).AddNanoGpt(Folder).BuildServiceProvider();
        Assert.Empty(log.Names);
        provider.GetRequiredService<GPT>();
        Assert.Contains("NanoGpt.GPT", log.Names);

        using var broken = new ServiceCollection().AddNanoGpt(Vectors.Path("sampling")).BuildServiceProvider();
        Assert.Throws<ModelFormatException>(() => broken.GetRequiredService<IChatClient>());
        Assert.Throws<ArgumentException>(() => new ServiceCollection().AddNanoGpt(" "));
    }

    [Fact]
    public void The_model_is_loaded_and_limited_as_the_options_say()
    {
        using var provider = new ServiceCollection().AddNanoGpt(Folder, options =>
        {
            options.Pretrained = options.Pretrained with { BlockSize = 32 };
            options.Limits = new GeneratorLimits { MaxQueued = -1 };
        }).BuildServiceProvider();
        Assert.Equal(32, provider.GetRequiredService<GPT>().Config.BlockSize);
        Assert.Contains("MaxQueued is -1", Assert.Throws<ArgumentException>(() => provider.GetRequiredService<Generator>()).Message, StringComparison.Ordinal);
    }

    private sealed class LogNames : ILoggerFactory
    {
        public List<string> Names { get; } = [];

        public ILogger CreateLogger(string categoryName)
        {
            Names.Add(categoryName);
            return NullLogger.Instance;
        }

        public void AddProvider(ILoggerProvider provider)
        {
        }

        public void Dispose()
        {
        }
    }
}
