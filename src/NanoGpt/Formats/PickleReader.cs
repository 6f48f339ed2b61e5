// Python's pickle, read as data. A pickle is a program for a stack machine that may name any function and call it; this
// machine knows the opcodes that plain containers and tensors need and the names in PickleGlobal. It calls nothing, loads
// nothing, and stops at the first thing it does not know. What each opcode does: Python's Lib/pickletools.py.

using System.Buffers.Binary;
using System.Text;

namespace NanoGpt.Formats;

/// <summary>Reads one pickle into plain values (see PickleValues.cs).</summary>
internal ref partial struct PickleReader
{
    /// <summary>The longest pickle in bytes. A checkpoint of GPT-2 xl with its optimizer has 0.4 MB.</summary>
    public const int MaxLength = 8 << 20;

    /// <summary>About how many bytes of objects one pickle may make.</summary>
    public const int MaxMemory = 12 << 20;

    /// <summary>The most values waiting on the stack. Python flushes its own after 1,000 items of a container.</summary>
    public const int MaxStack = 16_384;

    /// <summary>The most containers open at once.</summary>
    public const int MaxMarks = 1_024;

    /// <summary>Keys and memo entries lie below this.</summary>
    public const int MaxIndex = 1 << 20;

    private readonly ReadOnlySpan<byte> _pickle;
    private readonly string _path;
    private readonly List<object?> _stack = [];
    private readonly List<int> _marks = []; // heights of the stack where containers began
    private readonly Dictionary<int, object?> _memo = [];
    private int _position;
    private int _memory;

    private PickleReader(ReadOnlySpan<byte> pickle, string path)
    {
        _pickle = pickle;
        _path = path;
    }

    /// <summary>Reads a pickle.</summary>
    /// <param name="pickle">The bytes, from the first opcode on.</param>
    /// <param name="path">Names the file in errors.</param>
    /// <exception cref="ModelFormatException">It is broken, too large, or names something that is not in the short list.</exception>
    public static object? Read(ReadOnlySpan<byte> pickle, string path) => new PickleReader(pickle, path).Run();

    private object? Run()
    {
        if (_pickle.Length > MaxLength) throw Fault($"has {_pickle.Length} bytes, the limit is {MaxLength}");
        while (true)
        {
            var opcode = (char)TakeByte();
            if (opcode == '.') return Pop(); // STOP
            if (!RunScalar(opcode) && !RunContainer(opcode) && !RunObject(opcode))
                throw Fault($"uses opcode 0x{(int)opcode:x2}, which plain data does not need");
            if (_stack.Count > MaxStack) throw Fault($"stacks more than {MaxStack} values");
        }
    }

    /// <summary>Values and their bookkeeping.</summary>
    private bool RunScalar(char opcode)
    {
        switch (opcode)
        {
            case '\x80': // PROTO
                if (TakeByte() > 5) throw Fault("is of a protocol above 5");
                break;
            case '\x95': Take(sizeof(long)); break; // FRAME: only a hint for readers of streams
            case 'N': _stack.Add(null); break; // NONE
            case '\x88': Push(true, 24); break; // NEWTRUE
            case '\x89': Push(false, 24); break; // NEWFALSE
            case 'K': Push((long)TakeByte(), 24); break; // BININT1
            case 'M': Push((long)BinaryPrimitives.ReadUInt16LittleEndian(Take(2)), 24); break; // BININT2
            case 'J': Push((long)BinaryPrimitives.ReadInt32LittleEndian(Take(4)), 24); break; // BININT
            case '\x8a': Push(TakeLong(TakeByte()), 24); break; // LONG1
            case 'G': Push(BinaryPrimitives.ReadDoubleBigEndian(Take(8)), 24); break; // BINFLOAT
            case '\x8c': PushString(TakeByte()); break; // SHORT_BINUNICODE
            case 'X': PushString(BinaryPrimitives.ReadUInt32LittleEndian(Take(4))); break; // BINUNICODE
            case 'h': Recall(TakeByte()); break; // BINGET
            case 'j': Recall(TakeIndex()); break; // LONG_BINGET
            case 'q': Remember(TakeByte()); break; // BINPUT
            case 'r': Remember(TakeIndex()); break; // LONG_BINPUT
            case '\x94': Remember(_memo.Count); break; // MEMOIZE
            default: return false;
        }

        return true;
    }

    /// <summary>Tuples, lists and dicts.</summary>
    private bool RunContainer(char opcode)
    {
        switch (opcode)
        {
            case '(': // MARK
                if (_marks.Count == MaxMarks) throw Fault($"nests deeper than {MaxMarks} containers");
                _marks.Add(_stack.Count);
                break;
            case ')': Push(Array.Empty<object?>(), 0); break; // EMPTY_TUPLE
            case '\x85': PushTuple(1); break; // TUPLE1
            case '\x86': PushTuple(2); break; // TUPLE2
            case '\x87': PushTuple(3); break; // TUPLE3
            case 't': PushTuple(CountToMark()); break; // TUPLE
            case ']': Push(new PickleList(), 40); break; // EMPTY_LIST
            case '}': Push(new PickleDictionary(), 88); break; // EMPTY_DICT
            case 'a': Append(1); break; // APPEND
            case 'e': Append(CountToMark()); break; // APPENDS
            case 's': SetItems(2); break; // SETITEM
            case 'u': SetItems(CountToMark()); break; // SETITEMS
            default: return false;
        }

        return true;
    }

    private void PushTuple(int count)
    {
        var first = FirstOf(count);
        Charge(24 + 8 * count);
        var tuple = new object?[count];
        _stack.CopyTo(first, tuple, 0, count);
        _stack.RemoveRange(first, count);
        _stack.Add(tuple);
    }

    private void Append(int count)
    {
        var first = FirstOf(count);
        if (first == 0 || _stack[first - 1] is not PickleList list) throw Fault("appends to something that is not a list");
        Charge(24 * count); // a list that grows leaves its old arrays behind
        for (var i = first; i < _stack.Count; i++) list.Add(_stack[i]);
        _stack.RemoveRange(first, count);
    }

    private void SetItems(int count)
    {
        var first = FirstOf(count);
        if (first == 0 || count % 2 != 0 || _stack[first - 1] is not PickleDictionary dictionary)
            throw Fault("sets items of something that is not a dict");
        Charge(96 * (count / 2)); // a table that grows leaves its old ones behind
        for (var i = first; i < _stack.Count; i += 2)
        {
            if (_stack[i] is not (string or (long and >= 0 and < MaxIndex))) throw Fault($"has a dict key that is neither text nor a number below {MaxIndex}");
            dictionary[_stack[i]!] = _stack[i + 1];
        }

        _stack.RemoveRange(first, count);
    }

    /// <summary>The place of the last <paramref name="count"/> values, which must belong to the innermost open container.</summary>
    private readonly int FirstOf(int count)
    {
        var first = _stack.Count - count;
        return first >= (_marks.Count > 0 ? _marks[^1] : 0) ? first : throw Fault("takes more from the stack than is there");
    }

    private readonly int CountToMark()
    {
        if (_marks.Count == 0) throw Fault("ends a container that did not begin");
        var count = _stack.Count - _marks[^1];
        _marks.RemoveAt(_marks.Count - 1);
        return count;
    }

    private readonly object? Peek() => _stack[FirstOf(1)];

    private readonly object? Pop()
    {
        var last = FirstOf(1);
        var value = _stack[last];
        _stack.RemoveAt(last);
        return value;
    }

    private void Push(object value, int size)
    {
        Charge(size);
        _stack.Add(value);
    }

    private void PushString(uint length)
    {
        if (length > (uint)(_pickle.Length - _position)) throw Fault($"announces a text of {length} bytes and ends before");
        var bytes = Take((int)length);
        if (!System.Text.Unicode.Utf8.IsValid(bytes)) throw Fault("has a text that is not UTF-8");
        Push(Encoding.UTF8.GetString(bytes), 24 + 2 * bytes.Length);
    }

    private readonly void Recall(int index) =>
        _stack.Add(_memo.TryGetValue(index, out var value) ? value : throw Fault($"recalls memo entry {index}, which it did not store"));

    private void Remember(int index)
    {
        Charge(48);
        _memo[index] = Peek();
    }

    private int TakeIndex()
    {
        var index = BinaryPrimitives.ReadUInt32LittleEndian(Take(4));
        return index < MaxIndex ? (int)index : throw Fault($"uses memo entry {index}, the limit is {MaxIndex}");
    }

    private long TakeLong(int length)
    {
        var bytes = Take(length);
        if (length > sizeof(long)) throw Fault("has a whole number above 2^63");
        var value = 0L;
        for (var i = length - 1; i >= 0; i--) value = value << 8 | bytes[i];
        return length is 0 or sizeof(long) ? value : value << (64 - 8 * length) >> (64 - 8 * length); // two's complement
    }

    private string TakeLine()
    {
        const int MaxName = 256;
        var length = _pickle[_position..].IndexOf((byte)'\n');
        if (length is < 0 or > MaxName) throw Fault("has a name without an end");
        var line = Encoding.UTF8.GetString(Take(length));
        _position++;
        return line;
    }

    private byte TakeByte() => Take(1)[0];

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count > _pickle.Length - _position) throw Fault("is cut off");
        _position += count;
        return _pickle.Slice(_position - count, count);
    }

    private void Charge(int size)
    {
        _memory += size;
        if (_memory > MaxMemory) throw Fault($"makes more than {MaxMemory >> 20} MB of objects");
    }

    private readonly ModelFormatException Fault(string what) =>
        new($"{_path}: the pickle {what} (byte {_position}). Is it a checkpoint of nanoGPT or PyTorch, and whole?");
}
