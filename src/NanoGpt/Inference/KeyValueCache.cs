// The keys and values of the positions a session has been through, head by head, in the panels that the kernels multiply
// by: scores are a product with the keys, outputs a product with the values.

using NanoGpt.Numerics;

namespace NanoGpt.Inference;

/// <summary>Keys and values of one sequence. Grows by doubling up to the context length.</summary>
/// <remarks>
/// For each layer and head: keys [position / PanelWidth][channel][position % PanelWidth], values
/// [channel / PanelWidth][position][channel % PanelWidth].
/// </remarks>
internal sealed unsafe class KeyValueCache : IDisposable
{
    private const int FirstCapacity = 64;

    private readonly int _heads;
    private readonly int _headSize;
    private readonly int _paddedHeadSize;
    private readonly int _panelWidth;
    private readonly int _layers;
    private readonly int _maximum;
    private NativeBuffer? _buffer;

    public KeyValueCache(GPTConfig config, int panelWidth)
    {
        _layers = config.NLayer;
        _heads = config.NHead;
        _headSize = config.HeadSize;
        _maximum = config.BlockSize;
        _panelWidth = panelWidth;
        _paddedHeadSize = (_headSize + _panelWidth - 1) / _panelWidth * _panelWidth;
    }

    /// <summary>Positions whose keys and values are there.</summary>
    public int Length { get; private set; }

    /// <summary>Positions that there is room for.</summary>
    public int Capacity { get; private set; }

    /// <summary>Bytes of memory held.</summary>
    public long Bytes => _buffer?.Length ?? 0;

    private long HeadLength => (long)Capacity * _paddedHeadSize;

    /// <summary>Makes room for <paramref name="positions"/> positions; what is there stays.</summary>
    public void Reserve(int positions)
    {
        if (positions <= Capacity) return;
        var wanted = Math.Max(positions, (int)Math.Min(2L * Capacity, _maximum));
        using var old = _buffer;
        Resize(Math.Max(wanted, Math.Min(FirstCapacity, _maximum)), old, Capacity);
    }

    /// <summary>Says that keys and values up to there have been stored.</summary>
    public void Advance(int length) => Length = length;

    /// <summary>Forgets all positions from <paramref name="length"/> on.</summary>
    public void Truncate(int length) => Length = Math.Min(Length, length);

    /// <summary>A copy that goes its own way.</summary>
    public KeyValueCache Clone(GPTConfig config)
    {
        var clone = new KeyValueCache(config, _panelWidth);
        if (Length == 0) return clone;
        clone.Length = Length;
        clone.Resize(Length, _buffer!, Capacity);
        return clone;
    }

    /// <summary>The keys as a matrix [position, channel].</summary>
    public Panels Keys(int layer, int head) =>
        new((byte*)Head(layer, head, isValue: false), (nint)EvenHeadSize * _panelWidth * sizeof(float), Dtype.Float32);

    /// <summary>The values as a matrix [channel, position].</summary>
    public Panels Values(int layer, int head) =>
        new((byte*)Head(layer, head, isValue: true), (nint)Capacity * _panelWidth * sizeof(float), Dtype.Float32);

    /// <summary>Stores keys and values of positions that follow one another.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="head">The head.</param>
    /// <param name="first">The first position.</param>
    /// <param name="count">How many positions.</param>
    /// <param name="keys">The first position's key.</param>
    /// <param name="values">The first position's value.</param>
    /// <param name="stride">From one position's key or value to the next, in floats.</param>
    public void Store(int layer, int head, int first, int count, float* keys, float* values, nint stride)
    {
        // A key is an output of its matrix, a value a column.
        var end = first + count;
        for (var position = first; position < end;)
        {
            var lane = position % _panelWidth;
            var rows = Math.Min(_panelWidth - lane, end - position);
            var panel = Head(layer, head, isValue: false) + (long)(position / _panelWidth) * EvenHeadSize * _panelWidth;
            Panels.StoreRows(keys + (position - first) * stride, stride, rows, _headSize, _panelWidth, panel + lane);
            position += rows;
        }

        var columns = Head(layer, head, isValue: true);
        var panelStride = (nint)Capacity * _panelWidth;
        for (var i = 0; i < count; i++)
            Panels.StoreColumn(values + i * stride, _headSize, _panelWidth, columns + (long)(first + i) * _panelWidth, panelStride);
        if (end % 2 == 0) return;

        // Products take positions in pairs: an old value beyond the end must not be infinite, as 0 * infinity is NaN.
        for (var c = 0; c < _headSize; c += _panelWidth)
            new Span<float>(columns + c / _panelWidth * panelStride + (long)end * _panelWidth, _panelWidth).Clear();
    }

    public void Dispose()
    {
        _buffer?.Dispose();
        _buffer = null;
        Capacity = Length = 0;
    }

    private int EvenHeadSize => (_headSize + 1) / 2 * 2;

    private float* Head(int layer, int head, bool isValue) =>
        _buffer!.Floats + (((long)layer * _heads + head) * 2 + (isValue ? 1 : 0)) * HeadLength;

    /// <summary>Takes a new buffer for so many positions and copies the stored ones from <paramref name="source"/>.</summary>
    private void Resize(int positions, NativeBuffer? source, int sourceCapacity)
    {
        Capacity = (positions + _panelWidth - 1) / _panelWidth * _panelWidth;
        _buffer = NativeBuffer.OfFloats(checked(2L * _layers * _heads * HeadLength));
        if (source is null) return;

        var keyLength = (long)((Length + _panelWidth - 1) / _panelWidth) * EvenHeadSize * _panelWidth;
        var valueLength = (long)Length * _panelWidth;
        for (var i = 0L; i < (long)_layers * _heads; i++)
        {
            Copy(source.Floats + 2 * i * sourceCapacity * _paddedHeadSize, _buffer.Floats + 2 * i * HeadLength, keyLength);
            for (var panel = 0L; panel < _paddedHeadSize / _panelWidth; panel++)
            {
                var from = source.Floats + ((2 * i + 1) * _paddedHeadSize + panel * _panelWidth) * sourceCapacity;
                var to = _buffer.Floats + ((2 * i + 1) * _paddedHeadSize + panel * _panelWidth) * Capacity;
                Copy(from, to, valueLength);
            }
        }
    }

    private static void Copy(float* source, float* destination, long count) =>
        Buffer.MemoryCopy(source, destination, count * sizeof(float), count * sizeof(float));
}
