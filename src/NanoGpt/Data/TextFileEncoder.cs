// One text file as nanoGPT's prepare.py treats it: the first nine tenths of its characters are for training, the rest for
// validation, each encoded by itself. Read twice, because the place of the cut is only known at the end.

using System.Text;
using NanoGpt.Tokenization;

namespace NanoGpt.Data;

/// <summary>Encodes one text file of any size.</summary>
internal sealed class TextFileEncoder
{
    private readonly string _path;
    private readonly Action<long> _bytesRead;
    private readonly CancellationToken _cancellationToken;
    private readonly bool[] _seen = new bool[0x110000];

    /// <summary>Reads the file once: how many characters, and which.</summary>
    /// <param name="path">The file.</param>
    /// <param name="bytesRead">Told how many more bytes have been read; over both readings, twice the file.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="ModelFormatException">The file cannot be read, is not UTF-8, or too short to be split.</exception>
    public TextFileEncoder(string path, Action<long> bytesRead, CancellationToken cancellationToken)
    {
        (_path, _bytesRead, _cancellationToken) = (path, bytesRead, cancellationToken);
        using var reader = new Utf8TextReader(path);
        var buffer = new byte[TextPieces.PieceBytes];
        while (Read(reader, buffer) is var length and > 0)
        {
            Characters += TextPosition.CountCharacters(buffer.AsSpan(0, length));
            MarkSeen(buffer.AsSpan(0, length));
        }

        if (Characters < 2) throw new ModelFormatException($"{path}: {Characters} characters; a dataset needs text to train on and text to validate on.");
    }

    /// <summary>Number of characters (code points) of the file.</summary>
    public long Characters { get; }

    /// <summary>The vocabulary of the file's characters, in code point order.</summary>
    public CharacterTokenizer CreateCharacterTokenizer() =>
        new(Enumerable.Range(0, _seen.Length).Where(c => _seen[c]).Select(c => new Rune(c)));

    /// <summary>Encodes the file.</summary>
    /// <exception cref="ModelFormatException">The vocabulary lacks a character; the message shows it and where it is.</exception>
    public void Encode(Tokenizer tokenizer, IIdSink train, IIdSink val)
    {
        using var reader = new Utf8TextReader(_path);
        var encoder = new ParallelEncoder(tokenizer, _cancellationToken);
        var pieces = new TextPieces(tokenizer, encoder, _path);
        var charactersToTrain = (long)(Characters * 0.9); // nanoGPT: int(n * 0.9)
        while (Read(reader, pieces.Room()) is var length and > 0)
        {
            var text = pieces.Added(length);
            var characters = charactersToTrain > 0 ? TextPosition.CountCharacters(text) : 0;
            if (characters < charactersToTrain)
            {
                charactersToTrain -= characters;
                pieces.EncodeWhatIsSafe(train);
            }
            else if (charactersToTrain > 0)
            {
                pieces.EncodeUpTo(TextPosition.IndexOfCharacter(text, charactersToTrain), train);
                charactersToTrain = 0;
            }
            else
            {
                pieces.EncodeWhatIsSafe(val);
            }
        }

        pieces.EncodeAll(val);
        encoder.Finish();
    }

    private int Read(Utf8TextReader reader, Span<byte> buffer)
    {
        _cancellationToken.ThrowIfCancellationRequested();
        var before = reader.BytesRead;
        var length = reader.Read(buffer);
        _bytesRead(reader.BytesRead - before);
        return length;
    }

    private void MarkSeen(ReadOnlySpan<byte> text)
    {
        for (var i = 0; i < text.Length;)
        {
            var b = text[i];
            var length = 1;
            var character = (int)b;
            if (b >= 0x80)
            {
                Rune.DecodeFromUtf8(text[i..], out var rune, out length);
                character = rune.Value;
            }

            _seen[character] = true;
            i += length;
        }
    }
}
