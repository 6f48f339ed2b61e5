// Documents that a dataset is made of, and where they come from: the seam for kinds of files that the library does not read
// itself, such as Parquet (docs/decisions).

namespace NanoGpt.Data;

/// <summary>One document of a dataset, or one prompt with its response.</summary>
/// <param name="Text">The text to learn.</param>
/// <param name="Prompt">Text before it that the model sees but is not to learn to say, or null.</param>
public readonly record struct Document(string Text, string? Prompt = null);

/// <summary>Where the documents of a dataset come from. They are read once, in their order, and counted before.</summary>
public abstract class DocumentSource
{
    /// <summary>What is being read, for messages.</summary>
    public abstract string Name { get; }

    /// <summary>Counts the documents.</summary>
    /// <param name="cancellationToken">Stops it.</param>
    public abstract long Count(CancellationToken cancellationToken);

    /// <summary>Reads the documents one by one; as many as <see cref="Count"/> says.</summary>
    /// <param name="cancellationToken">Stops it.</param>
    public abstract IEnumerable<Document> Read(CancellationToken cancellationToken);
}
