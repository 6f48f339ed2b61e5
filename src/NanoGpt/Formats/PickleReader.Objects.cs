// The part of the pickle machine that meets names: which there are, and the two things that may be made of them. An
// attacker's pickle ends here.

using NanoGpt.IO;

namespace NanoGpt.Formats;

internal ref partial struct PickleReader
{
    private static readonly Dictionary<string, PickleGlobal> Globals = new()
    {
        ["collections OrderedDict"] = PickleGlobal.OrderedDict,
        ["torch._utils _rebuild_tensor_v2"] = PickleGlobal.RebuildTensor,
        ["torch._utils _rebuild_parameter"] = PickleGlobal.RebuildParameter,
        ["torch FloatStorage"] = PickleGlobal.FloatStorage,
        ["torch HalfStorage"] = PickleGlobal.HalfStorage,
        ["torch BFloat16Storage"] = PickleGlobal.BFloat16Storage,
        ["torch DoubleStorage"] = PickleGlobal.DoubleStorage,
        ["torch LongStorage"] = PickleGlobal.LongStorage,
        ["torch IntStorage"] = PickleGlobal.IntStorage,
        ["torch ShortStorage"] = PickleGlobal.ShortStorage,
        ["torch CharStorage"] = PickleGlobal.CharStorage,
        ["torch ByteStorage"] = PickleGlobal.ByteStorage,
        ["torch BoolStorage"] = PickleGlobal.BoolStorage,
    };

    /// <summary>Names and what may be made of them: an empty OrderedDict, or a tensor.</summary>
    private bool RunObject(char opcode)
    {
        switch (opcode)
        {
            case 'c': // GLOBAL
                var module = TakeLine();
                PushGlobal(module, TakeLine());
                break;
            case '\x93': // STACK_GLOBAL
                var name = Pop() as string;
                PushGlobal(Pop() as string ?? "", name ?? "");
                break;
            case 'Q': PushStorage(); break; // BINPERSID
            case 'R': Reduce(); break; // REDUCE
            case 'b': // BUILD: an OrderedDict's attributes (_metadata), which carry no weights
                if (Pop() is not PickleDictionary || Peek() is not PickleDictionary) throw Fault("sets attributes of something that is not a dict");
                break;
            default: return false;
        }

        return true;
    }

    private void PushGlobal(string module, string name)
    {
        if (!Globals.TryGetValue($"{module} {name}", out var global))
        {
            throw Fault($"names {UntrustedText.Quote($"{module}.{name}")}, which a checkpoint of weights has no use for. "
                + "It was not run, and nothing of this file is used");
        }

        Push(global, 24);
    }

    private void PushStorage()
    {
        if (Pop() is not object?[] { Length: 5 } id || id[0] is not "storage" || id[1] is not PickleGlobal global
            || id[2] is not string key || id[4] is not long count || count < 0)
            throw Fault("has a persistent id that is not a storage");
        TensorType type = global switch
        {
            PickleGlobal.FloatStorage => TensorType.F32,
            PickleGlobal.HalfStorage => TensorType.F16,
            PickleGlobal.BFloat16Storage => TensorType.BF16,
            PickleGlobal.DoubleStorage => TensorType.F64,
            PickleGlobal.LongStorage => TensorType.I64,
            PickleGlobal.IntStorage => TensorType.I32,
            PickleGlobal.ShortStorage => TensorType.I16,
            PickleGlobal.CharStorage => TensorType.I8,
            PickleGlobal.ByteStorage => TensorType.U8,
            PickleGlobal.BoolStorage => TensorType.Bool,
            _ => throw Fault("has a storage of no element type"),
        };
        Push(new PickleStorage(type, key, count), 48);
    }

    private void Reduce()
    {
        var arguments = Pop() as object?[] ?? throw Fault("calls with something that is not a tuple");
        switch (Pop())
        {
            case PickleGlobal.OrderedDict when arguments.Length == 0:
                Push(new PickleDictionary(), 88);
                break;
            case PickleGlobal.RebuildTensor when arguments is [PickleStorage storage, long offset, object?[] shape, object?[] strides, ..]:
                Push(new PickleTensor(storage, offset, Sizes(shape), Sizes(strides)), 56);
                break;
            case PickleGlobal.RebuildParameter when arguments is [PickleTensor tensor, ..]:
                Push(tensor, 0);
                break;
            default:
                throw Fault("calls something that is not a tensor's or a dict's maker, or with the wrong arguments");
        }
    }

    private long[] Sizes(object?[] tuple)
    {
        if (tuple.Length > SafetensorsHeader.MaxRank) throw Fault($"has a tensor of {tuple.Length} dimensions, the limit is {SafetensorsHeader.MaxRank}");
        Charge(32 + 8 * tuple.Length);
        var sizes = new long[tuple.Length];
        for (var i = 0; i < sizes.Length; i++)
            sizes[i] = tuple[i] is long size and >= 0 ? size : throw Fault("has a tensor with a size or stride that is not a whole number from 0");
        return sizes;
    }
}
