// The few opcodes of Python's pickle that a checkpoint needs, protocol 2: what torch.load(weights_only=True) reads. The
// opposite of PickleReader, and as small.

using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace NanoGpt.Formats;

/// <summary>Writes one pickle.</summary>
internal sealed class PickleWriter
{
    private readonly ArrayBufferWriter<byte> _bytes = new();

    public PickleWriter() => Write([0x80, 2]); // PROTO 2

    /// <summary>Writes a value: null, bool, int, double, string, dictionaries with text keys, object?[] (a tuple), lists, tensors.</summary>
    public PickleWriter Value(object? value)
    {
        switch (value)
        {
            case null: Write('N'); break;
            case true: Write([0x88]); break;
            case false: Write([0x89]); break;
            case int number: Integer(number); break;
            case double number: Float(number); break;
            case string text: Text(text); break;
            case IReadOnlyDictionary<string, object?> dictionary: Dictionary(dictionary); break;
            case object?[] tuple: Tuple(tuple); break;
            case IReadOnlyList<object?> list: List(list); break;
            case PickleTensor tensor: Tensor(tensor); break;
            default: throw new ArgumentException($"A pickle of ours holds no {value.GetType().Name}.", nameof(value));
        }

        return this;
    }

    /// <summary>Ends the pickle.</summary>
    public byte[] Finish()
    {
        Write('.'); // STOP
        return _bytes.WrittenSpan.ToArray();
    }

    private void Integer(int value)
    {
        Span<byte> number = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(number, value);
        Write('J'); // BININT
        Write(number);
    }

    /// <summary>A whole number that may need more than 32 bits.</summary>
    private void Long(long value)
    {
        Span<byte> number = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(number, value);
        Write([0x8a, 8]); // LONG1, 8 bytes
        Write(number);
    }

    private void Float(double value)
    {
        Span<byte> number = stackalloc byte[8];
        BinaryPrimitives.WriteDoubleBigEndian(number, value);
        Write('G'); // BINFLOAT
        Write(number);
    }

    private void Text(string value)
    {
        var utf8 = Encoding.UTF8.GetBytes(value);
        Span<byte> length = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(length, utf8.Length);
        Write('X'); // BINUNICODE
        Write(length);
        Write(utf8);
    }

    private void Dictionary(IReadOnlyDictionary<string, object?> dictionary)
    {
        Write("}("u8); // EMPTY_DICT, MARK
        foreach (var (key, value) in dictionary)
        {
            Text(key);
            Value(value);
        }

        Write('u'); // SETITEMS
    }

    private void Tuple(object?[] tuple)
    {
        Write('('); // MARK
        foreach (var item in tuple) Value(item);
        Write('t'); // TUPLE
    }

    private void List(IReadOnlyList<object?> list)
    {
        Write("]("u8); // EMPTY_LIST, MARK
        foreach (var item in list) Value(item);
        Write('e'); // APPENDS
    }

    /// <summary>torch._utils._rebuild_tensor_v2(storage, offset, size, stride, requires_grad, OrderedDict()).</summary>
    private void Tensor(PickleTensor tensor)
    {
        Global("torch._utils", "_rebuild_tensor_v2");
        Write("(("u8); // MARK of the arguments, MARK of the storage's tuple
        Text("storage");
        Global("torch", StorageName(tensor.Storage.Type));
        Text(tensor.Storage.Key);
        Text("cpu");
        Long(tensor.Storage.Count);
        Write("tQ"u8); // TUPLE, BINPERSID
        Long(tensor.Offset);
        Sizes(tensor.Shape);
        Sizes(tensor.Strides);
        Write([0x89]); // NEWFALSE: requires_grad
        Global("collections", "OrderedDict");
        Write(")RtR"u8); // EMPTY_TUPLE, REDUCE, TUPLE, REDUCE
    }

    private void Sizes(long[] sizes)
    {
        Write('(');
        foreach (var size in sizes) Long(size);
        Write('t');
    }

    private void Global(string module, string name) => Write(Encoding.ASCII.GetBytes($"c{module}\n{name}\n"));

    private static string StorageName(TensorType type) => type switch
    {
        TensorType.F32 => "FloatStorage",
        TensorType.F16 => "HalfStorage",
        TensorType.BF16 => "BFloat16Storage",
        TensorType.F64 => "DoubleStorage",
        _ => throw new ArgumentException($"{type} holds no weights."),
    };

    private void Write(char opcode) => _bytes.Write([(byte)opcode]);

    private void Write(ReadOnlySpan<byte> opcodes) => _bytes.Write(opcodes);
}
