// Stored numbers to float32, as many at once as the processor does. Each is proved against the plain cast in the tests.

using System.Numerics;
using System.Runtime.InteropServices;

namespace NanoGpt.Formats;

/// <summary>Widens (float64: rounds) contiguous elements to float32.</summary>
internal static unsafe class FloatConversion
{
    /// <summary>Writes the first <c>destination.Length</c> elements at <paramref name="source"/>, which need not be aligned.</summary>
    public static void ToSingle(TensorType type, byte* source, Span<float> destination)
    {
        switch (type)
        {
            case TensorType.F32:
                new ReadOnlySpan<byte>(source, destination.Length * sizeof(float)).CopyTo(MemoryMarshal.AsBytes(destination));
                break;
            case TensorType.F16:
                FromHalf(new ReadOnlySpan<ushort>(source, destination.Length), destination);
                break;
            case TensorType.BF16:
                FromBFloat16(new ReadOnlySpan<ushort>(source, destination.Length), destination);
                break;
            case TensorType.F64:
                FromDouble(new ReadOnlySpan<double>(source, destination.Length), destination);
                break;
            default:
                throw new InvalidOperationException($"{type} holds no weights.");
        }
    }

    private static void FromBFloat16(ReadOnlySpan<ushort> source, Span<float> destination)
    {
        var i = 0;
        for (; i <= source.Length - Vector<ushort>.Count; i += Vector<ushort>.Count)
        {
            Vector.Widen(new Vector<ushort>(source[i..]), out var low, out var high);
            Vector.AsVectorSingle(low << 16).CopyTo(destination[i..]);
            Vector.AsVectorSingle(high << 16).CopyTo(destination[(i + Vector<uint>.Count)..]);
        }

        for (; i < source.Length; i++) destination[i] = BitConverter.UInt32BitsToSingle((uint)source[i] << 16);
    }

    private static void FromHalf(ReadOnlySpan<ushort> source, Span<float> destination)
    {
        var i = 0;
        for (; i <= source.Length - Vector<ushort>.Count; i += Vector<ushort>.Count)
        {
            Vector.Widen(new Vector<ushort>(source[i..]), out var low, out var high);
            FromHalf(low).CopyTo(destination[i..]);
            FromHalf(high).CopyTo(destination[(i + Vector<uint>.Count)..]);
        }

        for (; i < source.Length; i++) destination[i] = (float)BitConverter.UInt16BitsToHalf(source[i]);
    }

    /// <summary>
    /// The half's bits moved into a float's places have an exponent that is too small by 112: one exact multiplication
    /// mends it for normal and subnormal numbers alike; infinity and NaN need their exponent filled.
    /// </summary>
    private static Vector<float> FromHalf(Vector<uint> half)
    {
        var sign = (half & new Vector<uint>(0x8000u)) << 16;
        var magnitude = (half & new Vector<uint>(0x7fffu)) << 13;
        var finite = Vector.AsVectorUInt32(Vector.AsVectorSingle(magnitude) * new Vector<float>(5.192296858534828e33f)); // 2^112
        var isFinite = Vector.LessThan(magnitude, new Vector<uint>(0x7c00u << 13));
        var bits = Vector.ConditionalSelect(isFinite, finite, magnitude | new Vector<uint>(0x7f800000u));
        return Vector.AsVectorSingle(bits | sign);
    }

    private static void FromDouble(ReadOnlySpan<double> source, Span<float> destination)
    {
        var i = 0;
        for (; i <= source.Length - Vector<float>.Count; i += Vector<float>.Count)
            Vector.Narrow(new Vector<double>(source[i..]), new Vector<double>(source[(i + Vector<double>.Count)..])).CopyTo(destination[i..]);
        for (; i < source.Length; i++) destination[i] = (float)source[i];
    }
}
