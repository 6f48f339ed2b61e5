// Ids to text while they are being made. A character may be spread over several tokens, so its bytes are held back until
// it is whole: a stream never shows a U+FFFD that the finished text does not have.

using System.Buffers;
using System.Text;

namespace NanoGpt.Tokenization;

/// <summary>Decodes one stream of ids. Not thread safe: one stream, one decoder.</summary>
public sealed class StreamDecoder
{
    private readonly Tokenizer _tokenizer;
    private readonly ArrayBufferWriter<byte> _bytes = new(16);
    private byte[] _heldBack = [];

    internal StreamDecoder(Tokenizer tokenizer) => _tokenizer = tokenizer;

    /// <summary>Takes the next id and gives the text that is certain by now; empty while a character is unfinished.</summary>
    /// <param name="id">The next id.</param>
    /// <exception cref="ArgumentException">The id is none of the vocabulary; the stream goes on as if it had not been given.</exception>
    public string Decode(int id)
    {
        var added = _tokenizer.GetBytes(id);
        _bytes.ResetWrittenCount();
        _bytes.Write(_heldBack);
        _bytes.Write(added);
        var certain = _bytes.WrittenCount - CountUnfinished(_bytes.WrittenSpan);
        _heldBack = _bytes.WrittenSpan[certain..].ToArray();
        return Encoding.UTF8.GetString(_bytes.WrittenSpan[..certain]);
    }

    /// <summary>Ends the stream: U+FFFD where its last character stayed unfinished, else empty. A new stream may follow.</summary>
    public string Flush()
    {
        var rest = Encoding.UTF8.GetString(_heldBack);
        _heldBack = [];
        return rest;
    }

    // Bytes at the end that begin a character. As in Python's decoder, so that streams are the same, that includes the
    // first two bytes of an encoded surrogate (ED A0..BF), which no third can complete.
    private static int CountUnfinished(ReadOnlySpan<byte> bytes)
    {
        for (var count = 1; count <= Math.Min(3, bytes.Length); count++)
        {
            var tail = bytes[^count..];
            if ((tail[0] & 0xC0) == 0x80) continue;
            var unfinished = Rune.DecodeFromUtf8(tail, out _, out _) == OperationStatus.NeedMoreData || tail is [0xED, >= 0xA0 and <= 0xBF];
            return unfinished ? count : 0;
        }

        return 0;
    }
}
