// A long text on its way from the reader to the encoder: gathered in a buffer, and handed on in pieces that have the same
// ids by themselves as in the whole.

using System.Buffers;
using NanoGpt.Tokenization;

namespace NanoGpt.Data;

/// <summary>Cuts a text into pieces for a <see cref="ParallelEncoder"/>.</summary>
/// <param name="tokenizer">Says where a text may be cut.</param>
/// <param name="encoder">Takes the pieces.</param>
/// <param name="source">The file, for messages.</param>
internal sealed class TextPieces(Tokenizer tokenizer, ParallelEncoder encoder, string source)
{
    /// <summary>The room that a reader is given at a time.</summary>
    public const int PieceBytes = 1 << 20;

    private const int MaxBytes = 1 << 30;

    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(2 * PieceBytes);
    private int _length;
    private int _lastAdded;
    private TextPosition _position = TextPosition.Start;

    /// <summary>Where to read the next part of the text to.</summary>
    /// <exception cref="ModelFormatException">There is so much text without white space that it could not be cut.</exception>
    public Span<byte> Room()
    {
        if (_length + PieceBytes > _buffer.Length)
        {
            if (_length > MaxBytes) throw new ModelFormatException($"{source}: {_length} bytes without white space between words; such a text cannot be encoded in parts. Is it text?");
            Replace(_buffer.AsSpan(0, _length), 2 * _buffer.Length, returnOld: true);
        }

        return _buffer.AsSpan(_length, PieceBytes);
    }

    /// <summary>Says how much was read, and gives it.</summary>
    public ReadOnlySpan<byte> Added(int length)
    {
        _lastAdded = _length;
        _length += length;
        return _buffer.AsSpan(_lastAdded, length);
    }

    /// <summary>Encodes what has been gathered up to the last place where a cut changes no id.</summary>
    public void EncodeWhatIsSafe(IIdSink sink) => Encode(tokenizer.LastSafeCut(_buffer.AsSpan(0, _length)), sink);

    /// <summary>Encodes what has been gathered up to a place in the part that was added last, where the text is to be cut.</summary>
    public void EncodeUpTo(int index, IIdSink sink) => Encode(_lastAdded + index, sink);

    /// <summary>Encodes the rest.</summary>
    public void EncodeAll(IIdSink sink) => Encode(_length, sink);

    private void Encode(int length, IIdSink sink)
    {
        if (length <= 0) return;
        var piece = _buffer;
        var unknown = tokenizer.FirstUnknown(piece.AsSpan(0, length));
        if (unknown >= 0)
        {
            var where = _position.After(piece.AsSpan(0, unknown)).Describe(piece.AsSpan(unknown));
            throw new ModelFormatException($"{source}: {where}: the vocabulary of {tokenizer.VocabSize} ids lacks this character. Prepare the text with a vocabulary that has it, such as GPT-2's.");
        }

        _position = _position.After(piece.AsSpan(0, length));
        Replace(piece.AsSpan(length, _length - length), 2 * PieceBytes, returnOld: false);
        encoder.Add(piece, length, sink);
    }

    private void Replace(ReadOnlySpan<byte> content, int size, bool returnOld)
    {
        var old = _buffer;
        _buffer = ArrayPool<byte>.Shared.Rent(Math.Max(size, content.Length + PieceBytes));
        content.CopyTo(_buffer);
        _length = content.Length;
        if (returnOld) ArrayPool<byte>.Shared.Return(old);
    }
}
