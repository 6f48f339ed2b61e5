using NanoGpt.Formats;
using NanoGpt.Inference;
using NanoGpt.Numerics;
using NanoGpt.Tests.Numerics;

namespace NanoGpt.Tests.Inference;

/// <summary>Each implementation of the arithmetic against sums in double.</summary>
public sealed unsafe class KernelsTests
{
    public static TheoryData<string> All() => [.. TestKernels.Panels.Select(kernels => kernels.Rows.Name)];

    [Theory]
    [MemberData(nameof(All))]
    public void Products_equal_sums_in_double_for_every_number_of_rows_and_odd_sizes(string name)
    {
        var kernels = TestKernels.PanelsNamed(name);
        foreach (var precision in (Dtype[])[Dtype.Float32, Dtype.BFloat16, Dtype.Int8])
        {
            foreach (var (rows, inputs, outputs) in new[] { (1, 1, 1), (1, 7, 200), (2, 64, 33), (3, 255, 50), (4, 256, 5), (5, 257, 64), (6, 300, 70), (7, 768, 17), (8, 31, 130), (9, 33, 40), (13, 500, 90), (50, 1100, 65), (97, 80, 80), (395, 260, 70) })
                CheckProduct(kernels, precision, rows, inputs, outputs);
        }
    }

    [Theory]
    [MemberData(nameof(All))]
    public void A_row_gives_the_same_bits_in_any_company(string name)
    {
        var kernels = TestKernels.PanelsNamed(name);
        foreach (var precision in (Dtype[])[Dtype.Float32, Dtype.BFloat16, Dtype.Int8])
        {
            foreach (var inputs in new[] { 255, 1100 })
            {
                var together = Product(kernels, precision, 61, inputs, 150, out _);
                for (var rows = 1; rows < 61; rows = rows * 2 + 1)
                {
                    var fewer = Product(kernels, precision, rows, inputs, 150, out _);
                    for (var row = 0; row < rows; row++) Assert.Equal(fewer[row], together[row]);
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(All))]
    public void Elementary_functions_are_exact_to_float32(string name)
    {
        var kernels = TestKernels.PanelsNamed(name);
        for (var x = -100f; x <= 100f; x += 0.0137f)
        {
            AssertClose(GeluTanh(x), Activate(kernels, ActivationFunction.GeluNew, x));
            AssertClose(GeluTanh(x), Activate(kernels, ActivationFunction.GeluPytorchTanh, x));
            AssertClose(GeluErf(x), Activate(kernels, ActivationFunction.Gelu, x));
            AssertClose(x / (1 + Math.Exp(-(double)x)), Activate(kernels, ActivationFunction.Silu, x));
            AssertClose(Math.Tanh(x), Activate(kernels, ActivationFunction.Tanh, x));
            Assert.Equal(Math.Max(x, 0), Activate(kernels, ActivationFunction.Relu, x));
        }

        foreach (var function in Enum.GetValues<ActivationFunction>())
        {
            Assert.Equal(0f, Activate(kernels, function, 0));
            Assert.True(float.IsNaN(Activate(kernels, function, float.NaN)), $"{function} hides a NaN");
        }

        static void AssertClose(double expected, float actual) =>
            Assert.True(Math.Abs(expected - actual) <= 4e-7 * Math.Max(0.5, Math.Abs(expected)), $"{actual} is not {expected}");
    }

    [Theory]
    [MemberData(nameof(All))]
    public void Softmax_layer_norm_and_log_sum_exp_equal_their_formulas(string name)
    {
        var kernels = TestKernels.PanelsNamed(name);
        var random = new Random(3);
        foreach (var length in new[] { 1, 2, 7, 8, 9, 16, 33, 100, 1027 })
        {
            using var x = NativeBuffer.OfFloats(RowKernels.PaddedLength(length));
            using var weight = NativeBuffer.OfFloats(length);
            using var bias = NativeBuffer.OfFloats(length);
            using var result = NativeBuffer.OfFloats(length);
            for (var i = 0; i < length; i++)
            {
                x.Floats[i] = (float)(random.NextDouble() * 40 - 30);
                weight.Floats[i] = random.NextSingle();
                bias.Floats[i] = random.NextSingle();
            }

            var values = Values(x, length);
            var (mean, largest) = (values.Average(), values.Max());
            var variance = values.Average(v => (v - mean) * (v - mean));
            foreach (var shift in new[] { null, bias.Floats })
            {
                kernels.Rows.LayerNorm(x.Floats, weight.Floats, shift, 1e-5f, length, result.Floats);
                for (var i = 0; i < length; i++)
                    Assert.Equal((values[i] - mean) / Math.Sqrt(variance + 1e-5) * weight.Floats[i] + (shift is null ? 0 : bias.Floats[i]), result.Floats[i], 5e-6);
            }

            Assert.Equal(largest + Math.Log(values.Sum(v => Math.Exp(v - largest))), kernels.Rows.LogSumExp(x.Floats, length), 5e-6);

            var total = values.Sum(v => Math.Exp((v - largest) * 0.3));
            kernels.Rows.Softmax(x.Floats, length, 0.3f);
            for (var i = 0; i < length; i++) Assert.Equal(Math.Exp((values[i] - largest) * 0.3) / total, x.Floats[i], 1e-6);
        }
    }

    private static void CheckProduct(PanelKernels kernels, Dtype precision, int rows, int inputs, int outputs)
    {
        var actual = Product(kernels, precision, rows, inputs, outputs, out var expected);
        for (var row = 0; row < rows; row++)
        {
            for (var o = 0; o < outputs; o++)
            {
                // Partial sums grow like sqrt(inputs), and so do their roundings; int8 rounds activations to 15 bits of the largest.
                var tolerance = (precision == Dtype.Int8 ? 2e-4 : 4e-6) * Math.Sqrt(inputs);
                Assert.True(Math.Abs(expected[row][o] - actual[row][o]) <= tolerance, $"{kernels.Rows.Name} {precision} {rows}x{inputs}x{outputs}: [{row}, {o}] is {actual[row][o]}, not {expected[row][o]}");
            }
        }
    }

    /// <summary>A linear layer on random values, and the same from its rounded weights in double.</summary>
    private static float[][] Product(PanelKernels kernels, Dtype precision, int rows, int inputs, int outputs, out double[][] expected)
    {
        using var team = new WorkerTeam(2);
        var random = new Random(5);
        using var source = NativeBuffer.OfFloats((long)inputs * outputs);
        for (var i = 0L; i < (long)inputs * outputs; i++) source.Floats[i] = random.NextSingle() * 2 - 1;
        using var matrix = PackedMatrix.Pack(new WeightTensor("w", TensorType.F32, [outputs, inputs], isInOut: false, source.Bytes), precision, kernels.PanelWidth, team);
        using var bias = NativeBuffer.OfFloats(RowKernels.PaddedLength(outputs));
        for (var o = 0; o < outputs; o++) bias.Floats[o] = random.NextSingle();

        using var from = new Rows(inputs);
        using var to = new Rows(outputs);
        from.Reserve(rows);
        to.Reserve(rows);
        for (var row = 0; row < rows; row++)
        {
            for (var c = 0; c < inputs; c++) from[row][c] = random.NextSingle() * 2 - 1;
        }

        using var scratch = new PackingScratch();
        using var product = new LinearProduct(kernels, team, [scratch, scratch]);
        product.Run(new Linear(matrix, bias), from, rows, to);

        var weights = new float[outputs][];
        var rowOfWeights = new float[inputs];
        for (var o = 0; o < outputs; o++)
        {
            fixed (float* first = rowOfWeights) matrix.CopyRow(o, first, scratch);
            weights[o] = [.. rowOfWeights];
        }

        var sums = new double[rows][];
        var result = new float[rows][];
        for (var row = 0; row < rows; row++)
        {
            sums[row] = new double[outputs];
            for (var o = 0; o < outputs; o++)
            {
                sums[row][o] = bias.Floats[o];
                for (var c = 0; c < inputs; c++) sums[row][o] += (double)from[row][c] * weights[o][c];
            }

            result[row] = new ReadOnlySpan<float>(to[row], outputs).ToArray();
        }

        expected = sums;
        return result;
    }

    private static double[] Values(NativeBuffer buffer, int length) =>
        new ReadOnlySpan<float>(buffer.Floats, length).ToArray().Select(value => (double)value).ToArray();

    private static float Activate(PanelKernels kernels, ActivationFunction function, float x)
    {
        var values = stackalloc float[RowKernels.RowAlignment];
        for (var i = 0; i < RowKernels.RowAlignment; i++) values[i] = x;
        kernels.Rows.Activate(function, values, RowKernels.RowAlignment);
        for (var i = 1; i < RowKernels.RowAlignment; i++) Assert.Equal(values[0], values[i]);
        return values[0];
    }

    private static double GeluTanh(double x) => 0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));

    private static double GeluErf(double x) => 0.5 * x * SpecialFunctions.Erfc(-x / Math.Sqrt(2));
}
