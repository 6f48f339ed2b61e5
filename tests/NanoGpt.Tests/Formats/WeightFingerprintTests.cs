using NanoGpt.Formats;

namespace NanoGpt.Tests.Formats;

public sealed unsafe class WeightFingerprintTests
{
    private static readonly GPTConfig s_config = new() { NLayer = 1, NHead = 1, NEmbd = 1, VocabSize = 1, BlockSize = 1 };

    [Theory]
    [InlineData(1)]
    [InlineData(31)]
    [InlineData(262)]
    [InlineData((1 << 18) + 35)] // more than one chunk
    public void Every_value_counts_and_so_does_its_place(int count)
    {
        var values = Enumerable.Range(0, count).Select(i => (float)Math.Sin(i)).ToArray();
        var before = Of(values);
        Assert.Equal(before, Of(values));

        foreach (var i in Enumerable.Range(0, Math.Min(count, 300)).Select(i => (int)((long)i * (count - 1) / 299)).Append(count - 1).Distinct())
        {
            var value = values[i];
            values[i] = MathF.BitIncrement(value);
            Assert.NotEqual(before, Of(values));
            values[i] = value;
        }

        if (count > 1)
        {
            (values[0], values[^1]) = (values[^1], values[0]);
            Assert.NotEqual(before, Of(values));
        }
    }

    [Fact]
    public void The_same_bytes_under_two_names_are_other_weights_when_they_change_places()
    {
        float first = 1, second = 2;
        Assert.NotEqual(Of(("a", (nint)(&first)), ("b", (nint)(&second))), Of(("a", (nint)(&second)), ("b", (nint)(&first))));
    }

    private static ulong Of(float[] values)
    {
        fixed (float* p = values)
        {
            return WeightFingerprint.Of(new GPTWeights(s_config, new Dictionary<string, WeightTensor>
            {
                ["w"] = new("w", TensorType.F32, [values.Length], isInOut: false, (byte*)p),
            }));
        }
    }

    private static ulong Of((string Name, nint Value) first, (string Name, nint Value) second) => WeightFingerprint.Of(new GPTWeights(
        s_config,
        new[] { first, second }.ToDictionary(w => w.Name, w => new WeightTensor(w.Name, TensorType.F32, [1], isInOut: false, (byte*)w.Value))));
}
