using NanoGpt.Formats;

namespace NanoGpt.Tests.Formats;

public sealed unsafe class WeightTensorTests
{
    [Theory]
    [InlineData(TensorType.F32)]
    [InlineData(TensorType.F16)]
    [InlineData(TensorType.BF16)]
    [InlineData(TensorType.F64)]
    internal void Fast_copies_equal_the_plain_loop(TensorType type)
    {
        foreach (var isInOut in new[] { false, true })
        {
            foreach (var (rows, columns) in new[] { (1, 1), (3, 5), (64, 64), (65, 63), (130, 257), (1100, 1000) })
            {
                var bytes = new byte[rows * columns * type.Bits() / 8 + 1];
                new Random(rows).NextBytes(bytes);
                fixed (byte* p = bytes)
                {
                    // + 1: a file need not align its tensors.
                    var tensor = new WeightTensor("w", type, [rows, columns], isInOut, p + 1);
                    Check(tensor, 0, tensor.Rows);
                    Check(tensor, tensor.Rows / 3, tensor.Rows - tensor.Rows / 3 - tensor.Rows / 4);
                    Check(tensor, tensor.Rows, 0);
                }
            }
        }
    }

    [Fact]
    public void Every_half_becomes_the_float_that_the_runtime_casts_it_to()
    {
        var halves = Enumerable.Range(0, 65536).Select(i => BitConverter.UInt16BitsToHalf((ushort)i)).ToArray();
        var floats = new float[halves.Length];
        fixed (Half* p = halves) FloatConversion.ToSingle(TensorType.F16, (byte*)p, floats);

        for (var i = 0; i < floats.Length; i++)
        {
            var expected = (float)halves[i];
            Assert.True(
                float.IsNaN(expected) ? float.IsNaN(floats[i]) : BitConverter.SingleToInt32Bits(expected) == BitConverter.SingleToInt32Bits(floats[i]),
                $"{i:x4}: {floats[i]:R} instead of {expected:R}");
        }
    }

    [Fact]
    public void Rows_outside_the_tensor_are_refused()
    {
        var memory = stackalloc float[2];
        var tensor = new WeightTensor("w", TensorType.F32, [1, 1], false, (byte*)memory);
        var room = (nint)(memory + 1); // a lambda takes no pointer

        Assert.Throws<ArgumentOutOfRangeException>(() => tensor.CopyRows((float*)room, 0, 2));
        Assert.Throws<ArgumentOutOfRangeException>(() => tensor.CopyRows((float*)room, -1, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => tensor.CopyRows((float*)room, 1, 1));
    }

    /// <summary>The slow, obvious path: one element at a time, by its index.</summary>
    private static void Check(WeightTensor tensor, long firstRow, long rowCount)
    {
        var copied = new float[rowCount * tensor.Columns + 1];
        copied[^1] = 42;
        fixed (float* p = copied) tensor.CopyRows(p, firstRow, rowCount);

        for (var r = 0L; r < rowCount; r++)
        {
            for (var c = 0L; c < tensor.Columns; c++)
            {
                var index = tensor.IsInOut ? c * tensor.Rows + firstRow + r : (firstRow + r) * tensor.Columns + c;
                var expected = tensor.ReadElement(index);
                if (!expected.Equals(copied[r * tensor.Columns + c]))
                    Assert.Fail($"{tensor.Type} row {firstRow + r}, column {c}: {copied[r * tensor.Columns + c]:R} instead of {expected:R}");
            }
        }

        Assert.Equal(42, copied[^1]);
    }
}
