// The header of a safetensors file: eight bytes of length, then JSON that gives each tensor's type, shape and place. Reads
// the header and proves that it describes the file to the last byte; touches no tensor. Format:
// https://github.com/huggingface/safetensors#format

using System.Buffers.Binary;
using System.Text.Json;
using System.Text.Unicode;
using NanoGpt.IO;

namespace NanoGpt.Formats;

/// <summary>One tensor of a safetensors file.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">Its element type.</param>
/// <param name="Shape">Its shape; empty for a scalar.</param>
/// <param name="Begin">Its first byte, counted from the end of the header.</param>
/// <param name="End">The byte after its last.</param>
internal sealed record TensorInfo(string Name, TensorType Type, long[] Shape, long Begin, long End);

/// <summary>A valid header. Immutable.</summary>
internal sealed class SafetensorsHeader
{
    /// <summary>The longest header that is read, as in the reference implementation.</summary>
    public const int MaxLength = 100_000_000;

    /// <summary>The most dimensions of a tensor. PyTorch and NumPy stop there too.</summary>
    public const int MaxRank = 64;

    private const int LengthSize = sizeof(ulong);

    private SafetensorsHeader(
        long dataStart, IReadOnlyDictionary<string, TensorInfo> tensors, IReadOnlyDictionary<string, string> metadata)
    {
        DataStart = dataStart;
        Tensors = tensors;
        Metadata = metadata;
    }

    /// <summary>Where the data begins in the file; not necessarily a multiple of 8.</summary>
    public long DataStart { get; }

    public IReadOnlyDictionary<string, TensorInfo> Tensors { get; }

    /// <summary>What <c>__metadata__</c> says; empty where there is none.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Reads and checks a header.</summary>
    /// <param name="file">The beginning of the file: all of it, or at least the longest header.</param>
    /// <param name="fileLength">The length of the file in bytes.</param>
    /// <param name="path">Names the file in errors.</param>
    /// <exception cref="ModelFormatException">The file is no safetensors file, or its header does not describe it.</exception>
    public static SafetensorsHeader Read(ReadOnlySpan<byte> file, long fileLength, string path)
    {
        var json = CutHeader(file, fileLength, path);
        var dataStart = LengthSize + json.Length;
        try
        {
            // Utf8JsonReader checks the text of a string only when it is asked for: names that are skipped must be text too.
            if (!Utf8.IsValid(json)) throw Fault(path, "is not UTF-8");
            return new HeaderReader(json, path).Read(dataStart, fileLength - dataStart);
        }
        catch (JsonException e)
        {
            throw Fault(path, $"is not JSON (byte {e.BytePositionInLine ?? 0} of line {e.LineNumber ?? 0})", e);
        }
        catch (InvalidOperationException e)
        {
            throw Fault(path, "has a string with half a surrogate pair", e); // thrown by GetString and ValueTextEquals
        }
    }

    private static ReadOnlySpan<byte> CutHeader(ReadOnlySpan<byte> file, long fileLength, string path)
    {
        if (fileLength < LengthSize)
            throw new ModelFormatException($"{path} has {fileLength} bytes; a safetensors file begins with 8 bytes of header length.");
        var length = BinaryPrimitives.ReadUInt64LittleEndian(file);
        if (length > MaxLength)
        {
            throw new ModelFormatException(
                $"{path} is not a safetensors file: a header of {length} bytes is above the limit of {MaxLength}. {Guess(file)}");
        }

        if ((long)length > fileLength - LengthSize)
        {
            throw new ModelFormatException(
                $"{path} is cut off or not a safetensors file: the header should have {length} bytes, the file has {fileLength - LengthSize} after the length. {Guess(file)}");
        }

        return file.Slice(LengthSize, (int)length);
    }

    /// <summary>What people often have under this name instead.</summary>
    private static string Guess(ReadOnlySpan<byte> file) => file switch
    {
        _ when file.StartsWith("version https://git-lfs"u8) => "It is a Git LFS pointer: fetch the file itself with 'git lfs pull'.",
        _ when file.StartsWith("<!"u8) || file.StartsWith("<html"u8) => "It is a web page: the download did not give the file.",
        _ when file.StartsWith("PK"u8) => "It is a zip archive, perhaps a PyTorch checkpoint: give it its own name, *.pt or pytorch_model.bin.",
        _ when file.StartsWith("GGUF"u8) => "It is a GGUF file: a safetensors copy is needed.",
        _ => "Download it again?",
    };

    internal static ModelFormatException Fault(string path, string what, Exception? cause = null) =>
        new($"{path}: the header {what}. The file is damaged or was written by something broken; get it again.", cause);

    /// <summary>The JSON in one pass, and what it must add up to.</summary>
    private ref struct HeaderReader(ReadOnlySpan<byte> json, string path)
    {
        private readonly long[] _numbers = new long[MaxRank];
        private Utf8JsonReader _reader = new(json);

        public SafetensorsHeader Read(long dataStart, long dataLength)
        {
            Advance(JsonTokenType.StartObject, "is not a JSON object");
            var tensors = new Dictionary<string, TensorInfo>(CountProperties());
            Dictionary<string, string>? metadata = null;
            while (NextProperty())
            {
                var name = _reader.GetString()!;
                if (name == "__metadata__")
                {
                    if (metadata is not null) throw Fault(path, "has __metadata__ twice");
                    metadata = ReadMetadata();
                }
                else if (!tensors.TryAdd(name, ReadTensor(name)))
                {
                    throw Fault(path, $"has tensor {UntrustedText.Quote(name)} twice");
                }
            }

            if (_reader.Read()) throw Fault(path, "goes on after its JSON object");
            CheckPlaces(tensors, dataLength);
            return new SafetensorsHeader(dataStart, tensors, metadata ?? []);
        }

        private Dictionary<string, string> ReadMetadata()
        {
            Advance(JsonTokenType.StartObject, "has a __metadata__ that is not an object of strings");
            var metadata = new Dictionary<string, string>(CountProperties());
            while (NextProperty())
            {
                var key = _reader.GetString()!;
                Advance(JsonTokenType.String, "has a __metadata__ value that is not a string");
                if (!metadata.TryAdd(key, _reader.GetString()!)) throw Fault(path, $"has __metadata__ {UntrustedText.Quote(key)} twice");
            }

            return metadata;
        }

        private TensorInfo ReadTensor(string name)
        {
            TensorType? type = null;
            long[]? shape = null;
            (long Begin, long End)? offsets = null;
            Advance(JsonTokenType.StartObject, "has an entry that is not an object", name);
            while (NextProperty())
            {
                if (_reader.ValueTextEquals("dtype"u8))
                {
                    if (type is not null) throw TensorFault("has two dtypes for", name);
                    type = ReadType(name);
                }
                else if (_reader.ValueTextEquals("shape"u8))
                {
                    if (shape is not null) throw TensorFault("has two shapes for", name);
                    shape = ReadNumbers(name, "a shape").ToArray();
                }
                else if (_reader.ValueTextEquals("data_offsets"u8))
                {
                    if (offsets is not null) throw TensorFault("has two data_offsets for", name);
                    var pair = ReadNumbers(name, "data_offsets");
                    if (pair.Length != 2) throw TensorFault($"has {pair.Length} data_offsets instead of 2 for", name);
                    offsets = (pair[0], pair[1]);
                }
                else
                {
                    _reader.Skip(); // As the reference reader does: room for later additions.
                }
            }

            if (type is null) throw TensorFault("has no dtype for", name);
            if (shape is null) throw TensorFault("has no shape for", name);
            if (offsets is null) throw TensorFault("has no data_offsets for", name);
            return new TensorInfo(name, type.Value, shape, offsets.Value.Begin, offsets.Value.End);
        }

        private TensorType ReadType(string name)
        {
            Advance(JsonTokenType.String, "has a dtype that is not a string", name);
            var text = _reader.GetString()!;
            return TensorTypes.Parse(text) ?? throw TensorFault($"has the unknown dtype {UntrustedText.Quote(text)} for", name);
        }

        private ReadOnlySpan<long> ReadNumbers(string name, string what)
        {
            Advance(JsonTokenType.StartArray, $"has {what} that is not an array", name);
            var count = 0;
            while (_reader.Read() && _reader.TokenType != JsonTokenType.EndArray)
            {
                if (_reader.TokenType != JsonTokenType.Number || _reader.ValueSpan[0] == '-' || !_reader.TryGetInt64(out var number))
                    throw TensorFault($"has {what} with something other than whole numbers from 0 for", name);
                if (count == _numbers.Length) throw TensorFault($"has {what} of more than {MaxRank} numbers for", name);
                _numbers[count++] = number;
            }

            return _numbers.AsSpan(0, count);
        }

        /// <summary>The tensors must lie one after the other, fit their types and shapes, and end where the file ends.</summary>
        private void CheckPlaces(Dictionary<string, TensorInfo> tensors, long dataLength)
        {
            var inOrder = new TensorInfo[tensors.Count];
            tensors.Values.CopyTo(inOrder, 0);
            Array.Sort(inOrder, static (a, b) => a.Begin != b.Begin ? a.Begin.CompareTo(b.Begin) : a.End.CompareTo(b.End));
            var position = 0L;
            foreach (var tensor in inOrder)
            {
                if (tensor.Begin != position || tensor.End < tensor.Begin)
                    throw TensorFault($"has data_offsets [{tensor.Begin}, {tensor.End}] where {position} should begin for", tensor.Name);
                var needed = CountBytes(tensor);
                if (tensor.End - tensor.Begin != needed)
                    throw TensorFault($"gives {tensor.End - tensor.Begin} bytes where {tensor.Type.Name()} and the shape need {needed} for", tensor.Name);
                position = tensor.End;
            }

            if (position == dataLength) return;
            throw new ModelFormatException(position > dataLength
                ? $"{path} is cut off: the tensors need {position} bytes, {dataLength} are there. Download it again?"
                : $"{path}: {dataLength - position} bytes follow the last tensor. The file is damaged; get it again.");
        }

        private long CountBytes(TensorInfo tensor)
        {
            var bits = (long)tensor.Type.Bits();
            foreach (var size in tensor.Shape)
            {
                if (size != 0 && bits > long.MaxValue / size) throw TensorFault("has a shape whose size overflows for", tensor.Name);
                bits *= size;
            }

            return bits % 8 == 0 ? bits / 8 : throw TensorFault($"has {tensor.Type.Name()} elements that do not fill whole bytes for", tensor.Name);
        }

        /// <summary>Properties left in the object that was just entered: what to allocate, so that a table is never grown.</summary>
        private readonly int CountProperties()
        {
            var ahead = _reader;
            var count = 0;
            while (ahead.Read() && ahead.TokenType == JsonTokenType.PropertyName)
            {
                count++;
                ahead.Skip();
            }

            return count;
        }

        /// <summary>Moves to the next property name; false at the end of the object.</summary>
        private bool NextProperty() => _reader.Read() && _reader.TokenType == JsonTokenType.PropertyName;

        private void Advance(JsonTokenType expected, string otherwise, string? tensor = null)
        {
            if (!_reader.Read() || _reader.TokenType != expected)
                throw tensor is null ? Fault(path, otherwise) : TensorFault($"{otherwise} for", tensor);
        }

        private readonly ModelFormatException TensorFault(string what, string tensor) =>
            Fault(path, $"{what} tensor {UntrustedText.Quote(tensor)}");
    }
}
