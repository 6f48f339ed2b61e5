// Blocked products against three loops.

using NanoGpt.Numerics;

namespace NanoGpt.Tests.Numerics;

public sealed class MatrixProductTests
{
    public static TheoryData<int, int, int> Sizes => new()
    {
        { 1, 1, 1 }, { 6, 16, 16 }, { 7, 17, 33 }, { 13, 300, 5 }, { 121, 257, 31 }, { 250, 40, 19 }, { 3, 5, 1600 }, { 16, 520, 50 },
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
                        product.Multiply(left, right, new Matrix(pc, m, n), adds);
                    }

                    for (var i = 0; i < m; i++)
                    {
                        for (var j = 0; j < n; j++)
                        {
                            var expected = adds ? before[i * n + j] : 0.0;
                            for (var l = 0; l < k; l++) expected += (double)a[i * k + l] * b[l * n + j];
                            Assert.Equal(expected, c[i * n + j], 1e-7 * (k + 10)); // float32 sums of k products below 1
                        }
                    }

                    Assert.Equal([7, 7, 7], c[^3..]);
                }
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
