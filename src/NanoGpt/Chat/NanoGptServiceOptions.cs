// What AddNanoGpt registers, and how.

namespace NanoGpt.Chat;

/// <summary>Options of <c>services.AddNanoGpt(...)</c>.</summary>
public sealed class NanoGptServiceOptions
{
    /// <summary>How the model is found and loaded. The container's ILoggerFactory is used where this names none.</summary>
    public PretrainedOptions Pretrained { get; set; } = new();

    /// <summary>How much is generated at the same time, by all services together.</summary>
    public GeneratorLimits Limits { get; set; } = new();

    /// <summary>How the chat client answers. Its Generator, where null, is the container's.</summary>
    public ChatClientOptions Chat { get; set; } = new();

    /// <summary>How one vector is made of those of all tokens of a text.</summary>
    public EmbeddingPooling Pooling { get; set; } = EmbeddingPooling.Mean;
}
