// Documents out of Parquet files, as OpenWebText is published. Here and not in the library, which would have to carry
// Parquet's dependencies into every app (docs/decisions).

using NanoGpt.Data;
using Parquet;

namespace NanoGpt.Samples.Commands;

/// <summary>The column <c>text</c> of one Parquet file or of a folder of them, one document a row.</summary>
internal sealed class ParquetDocuments : DocumentSource
{
    private const string TextColumn = "text";
    private readonly IReadOnlyList<string> files;

    private ParquetDocuments(string path, IReadOnlyList<string> files)
    {
        Name = path;
        this.files = files;
    }

    public override string Name { get; }

    /// <summary>The documents of a .parquet file or a folder of them; null where <paramref name="path"/> is neither.</summary>
    public static ParquetDocuments? TryOpen(string path)
    {
        if (File.Exists(path)) return Path.GetExtension(path) == ".parquet" ? new ParquetDocuments(path, [path]) : null;
        if (!Directory.Exists(path)) return null;
        string[] files = [.. Directory.EnumerateFiles(path, "*.parquet", SearchOption.AllDirectories).Order(StringComparer.Ordinal)];
        return files.Length > 0 ? new ParquetDocuments(path, files) : null;
    }

    public override long Count(CancellationToken cancellationToken)
    {
        var count = 0L;
        foreach (var file in files)
        {
            cancellationToken.ThrowIfCancellationRequested();
            count += Within(file, reader => Enumerable.Range(0, reader.RowGroupCount).Sum(index =>
            {
                using var group = reader.OpenRowGroupReader(index);
                return group.RowCount;
            }));
        }

        return count;
    }

    public override IEnumerable<Document> Read(CancellationToken cancellationToken)
    {
        foreach (var file in files)
        {
            for (var index = 0; ReadGroup(file, index, cancellationToken) is { } texts; index++)
            {
                foreach (var text in texts) yield return new Document(text ?? "");
            }
        }
    }

    /// <summary>The texts of one row group, which is what has to be in memory at once; null after the last.</summary>
    private static string?[]? ReadGroup(string file, int index, CancellationToken cancellationToken) => Within(file, reader =>
    {
        if (index >= reader.RowGroupCount) return null;
        var column = reader.Schema.GetDataFields().FirstOrDefault(field => field.Name == TextColumn && field.ClrType == typeof(string))
            ?? throw new ModelFormatException(
                $"{file}: no column '{TextColumn}' of strings; it has {string.Join(", ", reader.Schema.GetDataFields().Select(field => field.Name))}.");
        using var group = reader.OpenRowGroupReader(index);
        var texts = new string?[group.RowCount];
        group.ReadAsync(column, texts.AsMemory(), cancellationToken: cancellationToken).AsTask().GetAwaiter().GetResult();
        return texts;
    });

    private static T Within<T>(string file, Func<ParquetReader, T> read)
    {
        try
        {
            var reader = ParquetReader.CreateAsync(file).GetAwaiter().GetResult();
            try
            {
                return read(reader);
            }
            finally
            {
                reader.DisposeAsync().AsTask().GetAwaiter().GetResult();
            }
        }
        catch (Exception e) when (e is IOException or InvalidDataException or ParquetException)
        {
            throw new ModelFormatException($"{file}: not a Parquet file that can be read: {e.Message}", e);
        }
    }
}
