// Documents from Parquet files, the form in which the Hugging Face Hub keeps datasets such as openwebtext. Here and not in
// the library, which would hand Parquet.Net and its five packages on to every program (docs/decisions).

using NanoGpt.Data;
using Parquet;
using Parquet.Schema;

namespace NanoGpt.Samples.Commands;

/// <summary>The rows of Parquet files: a column "text", or columns "prompt" and "response".</summary>
/// <param name="path">What is being read, for messages.</param>
/// <param name="files">The files in their order.</param>
internal sealed class ParquetDocuments(string path, IReadOnlyList<string> files) : DocumentSource
{
    public override string Name => path;

    /// <summary>The Parquet files of a path; null where it is something else.</summary>
    public static ParquetDocuments? TryOpen(string? path)
    {
        if (File.Exists(path)) return Path.GetExtension(path).Equals(".parquet", StringComparison.OrdinalIgnoreCase) ? new(path, [path]) : null;
        if (!Directory.Exists(path)) return null;
        var files = Directory.EnumerateFiles(path, "*.parquet", SearchOption.AllDirectories).Order(StringComparer.Ordinal).ToList();
        return files.Count > 0 ? new(path, files) : null;
    }

    public override long Count(CancellationToken cancellationToken) => files.Sum(file =>
    {
        cancellationToken.ThrowIfCancellationRequested();
        using var parquet = new ParquetFile(file);
        return Enumerable.Range(0, parquet.Groups).Sum(parquet.RowsOf);
    });

    public override IEnumerable<Document> Read(CancellationToken cancellationToken)
    {
        foreach (var file in files)
        {
            using var parquet = new ParquetFile(file);
            for (var group = 0; group < parquet.Groups; group++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                foreach (var document in parquet.Read(group, cancellationToken)) yield return document;
            }
        }
    }

    private sealed class ParquetFile : IDisposable
    {
        private readonly string _file;
        private readonly ParquetReader _reader;
        private readonly DataField _text;
        private readonly DataField? _prompt;

        public ParquetFile(string file)
        {
            _file = file;
            _reader = Checked(() => ParquetReader.CreateAsync(file).GetAwaiter().GetResult());
            _prompt = Column("text") is null ? Column("prompt") : null;
            _text = Column("text") ?? (_prompt is null ? null : Column("response") ?? Column("completion")) ?? throw new ModelFormatException(
                $"{file}: columns {string.Join(", ", _reader.Schema.DataFields.Select(f => f.Name))}; expected a text column 'text', or 'prompt' and 'response'.");
        }

        public int Groups => _reader.RowGroupCount;

        public long RowsOf(int group)
        {
            using var rows = _reader.OpenRowGroupReader(group);
            return rows.RowCount;
        }

        public Document[] Read(int group, CancellationToken cancellationToken) => Checked(() =>
        {
            using var rows = _reader.OpenRowGroupReader(group);
            var texts = Read(rows, _text, cancellationToken);
            var prompts = _prompt is null ? null : Read(rows, _prompt, cancellationToken);
            return texts.Select((text, row) => new Document(text ?? "", prompts is null ? null : prompts[row] ?? "")).ToArray();
        });

        public void Dispose() => _reader.DisposeAsync().AsTask().GetAwaiter().GetResult();

        private static string?[] Read(ParquetRowGroupReader rows, DataField column, CancellationToken cancellationToken)
        {
            var values = new string?[rows.RowCount];
            rows.ReadAsync(column, values.AsMemory(), cancellationToken: cancellationToken).AsTask().GetAwaiter().GetResult();
            return values;
        }

        // Parquet.Net's type for a string.
        private DataField? Column(string name) => _reader.Schema.DataFields.FirstOrDefault(f => f.Name == name && f.ClrType == typeof(ReadOnlyMemory<char>) && !f.IsArray);

        // Parquet.Net throws exceptions of many kinds where a file is broken.
        private T Checked<T>(Func<T> read)
        {
            try
            {
                return read();
            }
            catch (Exception e) when (e is not (OperationCanceledException or NanoGptException))
            {
                throw new ModelFormatException($"{_file}: cannot be read as Parquet: {e.Message}", e);
            }
        }
    }
}
