// Blocked products against three loops.

using NanoGpt.Numerics;

namespace NanoGpt.Tests.Numerics;

public sealed class MatrixProductTests
{
    public static TheoryData<int, int, int> Sizes => new()
    {
        { 1, 1, 1 }, { 6, 16, 16 }, { 7, 17, 33 }, { 13, 300, 5 }, { 121, 257, 31 }, { 250, 40, 19 }, { 3, 5, 1600 }, { 16, 520, 50 }, { 14, 1100, 1000 },
    };

    [Theory]
    [MemberData(nameof(Sizes))]
    public unsafe void Products_of_all_forms_are_those_of_three_loops(int m, int k, int n)
    {
        float[] a = Draw(m * k, 1), b = Draw(k * n, 2), before = Draw(m * n, 3);
        foreach (var kernels in TestKernels.Gradients)
        {
            foreach (var threads in new[] { 1, 3 })
            {
                using var team = new WorkerTeam(threads);
                using var product = kernels.CreateProduct(team);
                foreach (var (isLeftTransposed, isRightTransposed, adds) in new[] { (false, false, false), (true, false, true), (false, true, true), (true, true, false) })
                {
                    float[] c = [.. before, 7, 7, 7]; // nobody writes behind the end
                    fixed (float* pa = isLeftTransposed ? Transposed(a, m, k) : a, pb = isRightTransposed ? Transposed(b, k, n) : b, pc = c)
                    {
                        var left = isLeftTransposed ? new Matrix(pa, k, m).Transposed : new Matrix(pa, m, k);
                        var right = isRightTransposed ? new Matrix(pb, n, k).Transposed : new Matrix(pb, k, n);
                        product.Multiply(left, right, new Matrix(pc, m, n), adds ? new Matrix(pc, m, n) : default);
                    }

                    AssertProduct(a, b, m, k, n, (i, j) => adds ? before[i * n + j] : 0, c);
                    Assert.Equal([7, 7, 7], c[^3..]);
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public unsafe void What_is_added_is_added_once(int m, int k, int n)
    {
        float[] a = Draw(m * k, 1), b = Draw(k * n, 2), plus = Draw(m * n, 3), bias = Draw(n, 4);
        foreach (var kernels in TestKernels.Gradients)
        {
            using var team = new WorkerTeam(2);
            using var product = kernels.CreateProduct(team);
            var c = new float[m * n];
            fixed (float* pa = a, pb = b, pc = c, pPlus = plus, pBias = bias)
                product.Multiply(new Matrix(pa, m, k), new Matrix(pb, k, n), new Matrix(pc, m, n), new Matrix(pPlus, m, n), pBias);
            AssertProduct(a, b, m, k, n, (i, j) => plus[i * n + j] + bias[j], c);
        }
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public unsafe void A_packed_factor_gives_the_same_in_parts_too(int m, int k, int n)
    {
        float[] a = Draw(m * k, 1), b = Draw(k * n, 2), transposed = Transposed(a, m, k);
        int skipped = k / 3, depth = k - skipped, columns = n - n / 4;
        foreach (var kernels in TestKernels.Gradients)
        {
            using var team = new WorkerTeam(1);
            using var product = kernels.CreateProduct(team);
            using var room = NativeBuffer.OfFloats(product.PackedLength(k, n));
            float[] c = new float[m * columns], fromColumns = new float[m * columns];
            fixed (float* pa = a, pb = b, pt = transposed, pc = c, pf = fromColumns)
            {
                var packed = product.Pack(new Matrix(pb, k, n), room.Floats).Part(skipped, depth, columns);
                product.MultiplyAlone(0, new Matrix(pa, m, k).Part(0, m, skipped, depth), packed, new Matrix(pc, m, columns));
                product.MultiplyAlone(0, new Matrix(pt, k, m).Transposed.Part(0, m, skipped, depth), packed, new Matrix(pf, m, columns));
            }

            float[] partOfA = [.. Enumerable.Range(0, m * depth).Select(i => a[i / depth * k + skipped + i % depth])];
            float[] partOfB = [.. Enumerable.Range(0, depth * columns).Select(i => b[(skipped + i / columns) * n + i % columns])];
            AssertProduct(partOfA, partOfB, m, depth, columns, (_, _) => 0, c);
            Assert.Equal(c, fromColumns); // the same order of sums
        }
    }

    private static void AssertProduct(float[] a, float[] b, int m, int k, int n, Func<int, int, double> plus, float[] actual)
    {
        for (var i = 0; i < m; i++)
        {
            for (var j = 0; j < n; j++)
            {
                var expected = plus(i, j);
                for (var l = 0; l < k; l++) expected += (double)a[i * k + l] * b[l * n + j];
                Assert.Equal(expected, actual[i * n + j], 1e-7 * (k + 10)); // float32 sums of k products below 1
            }
        }
    }

    private static float[] Draw(int count, int seed)
    {
        var draw = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => draw.NextSingle() * 2 - 1)];
    }

    private static float[] Transposed(float[] values, int rows, int columns) =>
        [.. Enumerable.Range(0, rows * columns).Select(i => values[i % rows * columns + i / rows])];
}
