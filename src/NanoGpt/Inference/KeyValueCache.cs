// The keys and values of the positions a session has been through, head by head, in the panels that the kernels multiply
// by: scores are a product with the keys, outputs a product with the values.

namespace NanoGpt.Inference;

/// <summary>Keys and values of one sequence. Grows by doubling up to the context length.</summary>
/// <remarks>
/// For each layer and head: keys [position / PanelWidth][channel][position % PanelWidth], values
/// [channel / PanelWidth][position][channel % PanelWidth].
/// </remarks>
internal sealed unsafe class KeyValueCache : IDisposable
{
    private const int FirstCapacity = 64;

    private readonly int heads;
    private readonly int headSize;
    private readonly int paddedHeadSize;
    private readonly int panelWidth;
    private readonly int layers;
    private readonly int maximum;
    private NativeBuffer? buffer;

    public KeyValueCache(GPTConfig config, int panelWidth)
    {
        layers = config.NLayer;
        heads = config.NHead;
        headSize = config.HeadSize;
        maximum = config.BlockSize;
        this.panelWidth = panelWidth;
        paddedHeadSize = (headSize + panelWidth - 1) / panelWidth * panelWidth;
    }

    /// <summary>Positions whose keys and values are there.</summary>
    public int Length { get; private set; }

    /// <summary>Positions that there is room for.</summary>
    public int Capacity { get; private set; }

    /// <summary>Bytes of memory held.</summary>
    public long Bytes => buffer?.Length ?? 0;

    private long HeadLength => (long)Capacity * paddedHeadSize;

    /// <summary>Makes room for <paramref name="positions"/> positions; what is there stays.</summary>
    public void Reserve(int positions)
    {
        if (positions <= Capacity) return;
        var wanted = Math.Max(positions, (int)Math.Min(2L * Capacity, maximum));
        using var old = buffer;
        Resize(Math.Max(wanted, Math.Min(FirstCapacity, maximum)), old, Capacity);
    }

    /// <summary>Says that keys and values up to there have been stored.</summary>
    public void Advance(int length) => Length = length;

    /// <summary>Forgets all positions from <paramref name="length"/> on.</summary>
    public void Truncate(int length) => Length = Math.Min(Length, length);

    /// <summary>A copy that goes its own way.</summary>
    public KeyValueCache Clone(GPTConfig config)
    {
        var clone = new KeyValueCache(config, panelWidth);
        if (Length == 0) return clone;
        clone.Length = Length;
        clone.Resize(Length, buffer!, Capacity);
        return clone;
    }

    /// <summary>The keys as a matrix [position, channel].</summary>
    public Panels Keys(int layer, int head) =>
        new((byte*)Head(layer, head, isValue: false), (nint)EvenHeadSize * panelWidth * sizeof(float), WeightPrecision.Float32);

    /// <summary>The values as a matrix [channel, position].</summary>
    public Panels Values(int layer, int head) =>
        new((byte*)Head(layer, head, isValue: true), (nint)Capacity * panelWidth * sizeof(float), WeightPrecision.Float32);

    /// <summary>Stores the key and value of one position.</summary>
    public void Store(int layer, int head, int position, float* key, float* value)
    {
        var keys = Head(layer, head, isValue: false)
            + (long)(position / panelWidth) * EvenHeadSize * panelWidth + position % panelWidth;
        for (var c = 0; c < headSize; c++) keys[(long)c * panelWidth] = key[c];

        var values = Head(layer, head, isValue: true) + (long)position * panelWidth;
        for (var c = 0; c < headSize; c += panelWidth)
        {
            var length = Math.Min(panelWidth, headSize - c);
            var panel = values + c / panelWidth * (long)Capacity * panelWidth;
            new ReadOnlySpan<float>(value + c, length).CopyTo(new Span<float>(panel, length));

            // Products take positions in pairs: an old value beyond the end must not be infinite, as 0 * infinity is NaN.
            if (position % 2 == 0) new Span<float>(panel + panelWidth, panelWidth).Clear();
        }
    }

    public void Dispose()
    {
        buffer?.Dispose();
        buffer = null;
        Capacity = Length = 0;
    }

    private int EvenHeadSize => (headSize + 1) / 2 * 2;

    private float* Head(int layer, int head, bool isValue) =>
        buffer!.Floats + (((long)layer * heads + head) * 2 + (isValue ? 1 : 0)) * HeadLength;

    /// <summary>Takes a new buffer for so many positions and copies the stored ones from <paramref name="source"/>.</summary>
    private void Resize(int positions, NativeBuffer? source, int sourceCapacity)
    {
        Capacity = (positions + panelWidth - 1) / panelWidth * panelWidth;
        buffer = NativeBuffer.OfFloats(checked(2L * layers * heads * HeadLength));
        if (source is null) return;

        var keyLength = (long)((Length + panelWidth - 1) / panelWidth) * EvenHeadSize * panelWidth;
        var valueLength = (long)Length * panelWidth;
        for (var i = 0L; i < (long)layers * heads; i++)
        {
            Copy(source.Floats + 2 * i * sourceCapacity * paddedHeadSize, buffer.Floats + 2 * i * HeadLength, keyLength);
            for (var panel = 0L; panel < paddedHeadSize / panelWidth; panel++)
            {
                var from = source.Floats + ((2 * i + 1) * paddedHeadSize + panel * panelWidth) * sourceCapacity;
                var to = buffer.Floats + ((2 * i + 1) * paddedHeadSize + panel * panelWidth) * Capacity;
                Copy(from, to, valueLength);
            }
        }
    }

    private static void Copy(float* source, float* destination, long count) =>
        Buffer.MemoryCopy(source, destination, count * sizeof(float), count * sizeof(float));
}
