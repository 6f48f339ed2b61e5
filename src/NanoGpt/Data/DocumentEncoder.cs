// Many documents -> ids, on all cores: each document is followed by the token that ends a text, some are kept for
// validation, and where there are prompts a mask says which ids are to be learned.

using System.Runtime.InteropServices;
using NanoGpt.Tokenization;

namespace NanoGpt.Data;

/// <summary>Encodes documents in their order into two splits. Called from one thread.</summary>
internal sealed class DocumentEncoder
{
    // Characters that are encoded at a time: enough to keep a core busy for some milliseconds.
    private const int BatchCharacters = 1 << 19;

    private readonly Tokenizer _tokenizer;
    private readonly int _endOfText;
    private readonly CancellationToken _cancellationToken;
    private readonly Queue<(Task<Encoded> Encoded, MaskedIds Sink)> _underWay = [];
    private readonly int _most = Environment.ProcessorCount + 2;

    public DocumentEncoder(Tokenizer tokenizer, CancellationToken cancellationToken)
    {
        _tokenizer = tokenizer;
        _cancellationToken = cancellationToken;
        _endOfText = tokenizer.EndOfTextId ?? throw new ArgumentException(
            "Documents are separated by the token that ends a text, and this vocabulary has none. Join them into one .txt file, or use GPT-2's vocabulary.", nameof(tokenizer));
    }

    /// <summary>Encodes all documents.</summary>
    /// <param name="documents">The documents, with whether each is for validation.</param>
    /// <param name="train">Takes the ids to learn from.</param>
    /// <param name="val">Takes the ids to measure on.</param>
    public void Encode(IEnumerable<(Document Document, bool Validation)> documents, MaskedIds train, MaskedIds val)
    {
        var batches = new[] { new Batch(train), new Batch(val) };
        foreach (var (document, validation) in documents)
        {
            var batch = batches[validation ? 1 : 0];
            batch.Documents.Add(document);
            batch.Characters += document.Text.Length + (document.Prompt?.Length ?? 0);
            if (batch.Characters >= BatchCharacters) Start(batch);
        }

        foreach (var batch in batches) Start(batch);
        while (_underWay.Count > 0) TakeOne();
    }

    private void Start(Batch batch)
    {
        _cancellationToken.ThrowIfCancellationRequested();
        var documents = batch.Documents.ToArray();
        batch.Documents.Clear();
        batch.Characters = 0;
        if (_underWay.Count == _most) TakeOne();
        _underWay.Enqueue((Task.Run(() => Encode(documents), CancellationToken.None), batch.Sink));
    }

    private Encoded Encode(Document[] documents)
    {
        List<int> ids = [];
        List<(int Start, int End)> prompts = [];
        foreach (var (text, prompt) in documents)
        {
            if (prompt is not null)
            {
                var start = ids.Count;
                ids.AddRange(_tokenizer.Encode(prompt));
                prompts.Add((start, ids.Count));
            }

            ids.AddRange(_tokenizer.Encode(text));
            ids.Add(_endOfText);
        }

        return new Encoded(ids, prompts);
    }

    private void TakeOne()
    {
        _cancellationToken.ThrowIfCancellationRequested();
        var (task, sink) = _underWay.Dequeue();
        var (ids, prompts) = task.GetAwaiter().GetResult();
        sink.Write(CollectionsMarshal.AsSpan(ids), prompts);
    }

    private sealed record Encoded(List<int> Ids, List<(int Start, int End)> Prompts);

    private sealed class Batch(MaskedIds sink)
    {
        public MaskedIds Sink => sink;

        public List<Document> Documents { get; } = [];

        public int Characters { get; set; }
    }
}
