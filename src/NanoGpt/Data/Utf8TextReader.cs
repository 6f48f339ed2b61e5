// A text file as Python's open(path, encoding="utf-8") reads it, piece by piece: checked UTF-8, every line end a \n. Apart
// from one thing: a byte order mark at the start is no character of the text.

using System.Buffers;
using System.Text;
using System.Text.Unicode;

namespace NanoGpt.Data;

/// <summary>Reads a text of any size in pieces of whole characters. One thread at a time.</summary>
internal sealed class Utf8TextReader : IDisposable
{
    private readonly FileStream _stream;
    private readonly byte[] _carried = new byte[3];
    private int _carriedCount;
    private bool _started;

    /// <param name="path">The file.</param>
    /// <exception cref="ModelFormatException">It cannot be read.</exception>
    public Utf8TextReader(string path)
    {
        try
        {
            _stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0, FileOptions.SequentialScan);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ModelFormatException($"{path}: cannot be read: {e.Message}", e);
        }
    }

    /// <summary>The file.</summary>
    public string Path => _stream.Name;

    /// <summary>Its length in bytes.</summary>
    public long Length => _stream.Length;

    /// <summary>Bytes of it that have been read.</summary>
    public long BytesRead { get; private set; }

    /// <summary>Reads the next piece of text into <paramref name="buffer"/>, of at least 16 bytes.</summary>
    /// <returns>Its length in bytes; 0 at the end.</returns>
    /// <exception cref="ModelFormatException">The file is not UTF-8; the message says where.</exception>
    public int Read(Span<byte> buffer)
    {
        while (true)
        {
            _carried.AsSpan(0, _carriedCount).CopyTo(buffer);
            var read = _stream.Read(buffer[_carriedCount..]);
            BytesRead += read;
            var text = buffer[..(_carriedCount + read)];
            var textStart = BytesRead - text.Length;
            _carriedCount = read == 0 ? 0 : CountUnfinished(text);
            text[^_carriedCount..].CopyTo(_carried);
            text = text[..^_carriedCount];
            if (!Utf8.IsValid(text)) throw NotUtf8(text, textStart);

            var length = UnifyLineEnds(text);
            if (!_started && length > 0)
            {
                _started = true;
                if (text[..length].StartsWith("\uFEFF"u8))
                {
                    text[3..length].CopyTo(buffer);
                    length -= 3;
                }
            }

            if (length > 0 || read == 0) return length;
        }
    }

    public void Dispose() => _stream.Dispose();

    // What may go on in the next piece: a character whose bytes have not all come, or a \r that may be half of a line end.
    private static int CountUnfinished(ReadOnlySpan<byte> text)
    {
        if (text[^1] == '\r') return 1;
        for (var count = 1; count <= Math.Min(3, text.Length); count++)
        {
            var tail = text[^count..];
            if ((tail[0] & 0xC0) != 0x80) return Rune.DecodeFromUtf8(tail, out _, out _) == OperationStatus.NeedMoreData ? count : 0;
        }

        return 0;
    }

    // \r\n and a lone \r become \n, in place.
    private static int UnifyLineEnds(Span<byte> text)
    {
        var read = text.IndexOf((byte)'\r');
        if (read < 0) return text.Length;
        var written = read;
        while (read < text.Length)
        {
            text[written++] = (byte)'\n';
            read += text[read..] is [_, (byte)'\n', ..] ? 2 : 1;
            var next = text[read..].IndexOf((byte)'\r');
            var length = next < 0 ? text.Length - read : next;
            text.Slice(read, length).CopyTo(text[written..]);
            written += length;
            read += length;
        }

        return written;
    }

    private ModelFormatException NotUtf8(ReadOnlySpan<byte> text, long textStart)
    {
        var offset = 0;
        while (Rune.DecodeFromUtf8(text[offset..], out _, out var length) == OperationStatus.Done) offset += length;
        return new ModelFormatException(FormattableString.Invariant(
            $"{Path}: byte {text[offset]:X2} at offset {textStart + offset} is not UTF-8; expected text. Save the file as UTF-8."));
    }
}
