// Documents from a folder of .txt files, one file a document.

using System.Buffers;
using System.Text;

namespace NanoGpt.Data;

/// <summary>The .txt files of a folder, each a document.</summary>
/// <param name="name">What is being read, for messages.</param>
/// <param name="files">The files in their order.</param>
internal sealed class TextFolder(string name, IReadOnlyList<string> files) : DocumentSource
{
    public override string Name => name;

    public override long Count(CancellationToken cancellationToken) => files.Count;

    public override IEnumerable<Document> Read(CancellationToken cancellationToken)
    {
        foreach (var file in files)
        {
            cancellationToken.ThrowIfCancellationRequested();
            yield return new Document(ReadAll(file));
        }
    }

    private static string ReadAll(string path)
    {
        using var reader = new Utf8TextReader(path);
        var text = new ArrayBufferWriter<byte>();
        while (reader.Read(text.GetSpan(TextPieces.PieceBytes)) is var length and > 0) text.Advance(length);
        return Encoding.UTF8.GetString(text.WrittenSpan);
    }
}
