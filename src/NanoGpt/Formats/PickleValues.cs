// What a pickle may hold besides None, bool, long, double, string and object?[] (a tuple). Plain data: none of it does
// anything.

namespace NanoGpt.Formats;

/// <summary>A dict or OrderedDict. Keys are strings or whole numbers.</summary>
internal sealed class PickleDictionary : Dictionary<object, object?>;

/// <summary>A list.</summary>
internal sealed class PickleList : List<object?>;

/// <summary>The few things a pickle may name.</summary>
internal enum PickleGlobal
{
    OrderedDict, RebuildTensor, RebuildParameter,
    FloatStorage, HalfStorage, BFloat16Storage, DoubleStorage,
    LongStorage, IntStorage, ShortStorage, CharStorage, ByteStorage, BoolStorage,
}

/// <summary>The memory of one or more tensors: an entry of the archive.</summary>
/// <param name="Type">Element type.</param>
/// <param name="Key">Name of the entry.</param>
/// <param name="Count">Number of elements.</param>
internal sealed record PickleStorage(TensorType Type, string Key, long Count);

/// <summary>A view of a storage. Not yet checked against it.</summary>
/// <param name="Storage">Where its elements lie.</param>
/// <param name="Offset">Its first element.</param>
/// <param name="Shape">Its sizes.</param>
/// <param name="Strides">Distances in elements between neighbours along each dimension.</param>
internal sealed record PickleTensor(PickleStorage Storage, long Offset, long[] Shape, long[] Strides);
