using System.Buffers.Binary;
using NanoGpt.Formats;
using NanoGpt.Inference;
using NanoGpt.Numerics;

namespace NanoGpt.Tests.Inference;

/// <summary>Weights come out of the panels as they went in, rounded as each precision says.</summary>
public sealed unsafe class PackedMatrixTests
{
    [Theory]
    [InlineData("F32", false)]
    [InlineData("F32", true)]
    [InlineData("F16", false)]
    [InlineData("F16", true)]
    [InlineData("BF16", false)]
    [InlineData("BF16", true)]
    [InlineData("F64", false)]
    [InlineData("F64", true)]
    public void Every_weight_is_there_from_any_source_in_any_precision(string typeName, bool isInOut)
    {
        var type = Enum.Parse<TensorType>(typeName);
        using var team = new WorkerTeam(3);

        // One panel and less, whole groups and tiles, one more than these, odd ones.
        foreach (var (outputs, inputs) in new[] { (1, 1), (7, 2), (16, 64), (33, 65), (256, 128), (300, 131) })
        {
            var values = Values(outputs, inputs, type);
            using var bytes = Store(values, outputs, inputs, type, isInOut);
            var tensor = new WeightTensor("w", type, isInOut ? [inputs, outputs] : [outputs, inputs], isInOut, bytes.Bytes);
            foreach (var kernels in PanelKernels.Supported)
            {
                foreach (var precision in new[] { Dtype.Float32, Dtype.BFloat16, Dtype.Int8 })
                {
                    using var matrix = new PackedMatrix(tensor, precision, kernels.PanelWidth);
                    for (var o = 0; o < outputs; o++)
                        Assert.Equal(Rounded(values.AsSpan(o * inputs, inputs).ToArray(), precision), Row(matrix, o));
                    matrix.Pack(team);
                    for (var o = 0; o < outputs; o++)
                        Assert.Equal(Rounded(values.AsSpan(o * inputs, inputs).ToArray(), precision), Row(matrix, o));
                }
            }
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_matrix_that_is_being_packed_has_its_weights_all_the_time(bool isInOut)
    {
        const int outputs = 4000, inputs = 65;
        var values = Values(outputs, inputs, TensorType.F32);
        using var bytes = Store(values, outputs, inputs, TensorType.F32, isInOut);
        var tensor = new WeightTensor("w", TensorType.F32, isInOut ? [inputs, outputs] : [outputs, inputs], isInOut, bytes.Bytes);
        using var matrix = new PackedMatrix(tensor, Dtype.Float32, PanelKernels.Best.PanelWidth);
        Assert.Null(matrix.Packed(0, 1));
        var packing = new Thread(() => matrix.Pack(team: null));
        packing.Start();
        do
        {
            for (var o = outputs - 1; o >= 0; o -= 7) Assert.Equal(values.AsSpan(o * inputs, inputs).ToArray(), Row(matrix, o));
        }
        while (packing.IsAlive);
        Assert.NotNull(matrix.Packed(0, matrix.PanelCount));
        for (var o = 0; o < outputs; o++) Assert.Equal(values.AsSpan(o * inputs, inputs).ToArray(), Row(matrix, o));
    }

    [Fact]
    public void BFloat16_rounds_to_nearest_even_and_keeps_what_is_no_number()
    {
        float[] values = [1f, 1f + 1f / 256, 1f + 3f / 256, 1f + 1.01f / 256, float.NegativeInfinity, float.MaxValue, BitConverter.UInt32BitsToSingle(0x7F800001), -0f];
        uint[] expected = [0x3F80, 0x3F80, 0x3F82, 0x3F81, 0xFF80, 0x7F80, 0x7FC0, 0x8000]; // halfway goes to the even one
        Assert.Equal(expected, RoundTrip(values, Dtype.BFloat16).Select(value => BitConverter.SingleToUInt32Bits(value) >> 16));
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    public void Int8_does_not_hide_a_weight_that_is_no_number(float broken)
    {
        Assert.All(RoundTrip([1, broken, 3], Dtype.Int8), value => Assert.True(float.IsNaN(value)));
        Assert.All(RoundTrip([broken, 1, 3], Dtype.Int8), value => Assert.True(float.IsNaN(value)));
    }

    [Fact]
    public void Int8_takes_rows_of_zeros_and_of_next_to_nothing()
    {
        Assert.Equal([0, 0, 0], RoundTrip([0, 0, 0], Dtype.Int8));
        Assert.Equal([0, 0, 0], RoundTrip([1e-40f, -1e-45f, 0], Dtype.Int8));
    }

    private static float[] RoundTrip(float[] values, Dtype precision)
    {
        using var team = new WorkerTeam(1);
        fixed (float* first = values)
        {
            var tensor = new WeightTensor("w", TensorType.F32, [1, values.Length], isInOut: false, (byte*)first);
            using var matrix = PackedMatrix.Pack(tensor, precision, PanelKernels.Best.PanelWidth, team);
            return Row(matrix, 0);
        }
    }

    private static float[] Row(PackedMatrix matrix, int row)
    {
        using var scratch = new PackingScratch();
        var values = new float[matrix.Inputs];
        fixed (float* first = values) matrix.CopyRow(row, first, scratch);
        return values;
    }

    /// <summary>One by one: what a row must become.</summary>
    private static float[] Rounded(float[] row, Dtype precision)
    {
        if (precision == Dtype.Float32) return row;
        if (precision == Dtype.BFloat16) return Array.ConvertAll(row, value => (float)(BFloat16)value);
        var scale = row.Max(MathF.Abs) / 127;
        return Array.ConvertAll(row, value => MathF.Round(value * (1 / scale)) * scale);
    }

    /// <summary>Random numbers that <paramref name="type"/> holds exactly.</summary>
    private static float[] Values(int outputs, int inputs, TensorType type)
    {
        var random = new Random(outputs + inputs);
        return Enumerable.Range(0, outputs * inputs).Select(_ => random.NextSingle() * 2 - 1).Select(value => type switch
        {
            TensorType.F16 => (float)(Half)value,
            TensorType.BF16 => (float)(BFloat16)value,
            _ => value,
        }).ToArray();
    }

    private static NativeBuffer Store(float[] values, int outputs, int inputs, TensorType type, bool isInOut)
    {
        var size = type.Bits() / 8;
        var buffer = new NativeBuffer((long)values.Length * size);
        for (var i = 0; i < values.Length; i++)
        {
            var place = isInOut ? i % inputs * outputs + i / inputs : i;
            var bytes = new Span<byte>(buffer.Bytes + place * size, size);
            switch (type)
            {
                case TensorType.F16: BinaryPrimitives.WriteHalfLittleEndian(bytes, (Half)values[i]); break;
                case TensorType.BF16: BinaryPrimitives.WriteUInt16LittleEndian(bytes, (ushort)(BitConverter.SingleToUInt32Bits(values[i]) >> 16)); break;
                case TensorType.F64: BinaryPrimitives.WriteDoubleLittleEndian(bytes, values[i]); break;
                default: BinaryPrimitives.WriteSingleLittleEndian(bytes, values[i]); break;
            }
        }

        return buffer;
    }

    /// <summary>A float32 rounded to 8 bits of precision, halfway to even: by arithmetic, where the engine works on bits.</summary>
    private readonly record struct BFloat16(float Value)
    {
        public static explicit operator BFloat16(float value)
        {
            if (value == 0) return new BFloat16(value);
            var step = MathF.ScaleB(1, MathF.ILogB(value) - 7);
            return new BFloat16(MathF.Round(value / step) * step);
        }

        public static explicit operator float(BFloat16 rounded) => rounded.Value;
    }
}
