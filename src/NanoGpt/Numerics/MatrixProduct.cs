// Matrix products, apart from the instruction set that computes them: what layers know of them.

namespace NanoGpt.Numerics;

/// <summary>c = a b, or c += a b, in float32.</summary>
/// <remarks>
/// Each element is summed in one order, from the first column of a to the last, whatever the number of threads and whichever
/// of them computes it. Not thread safe: each thread of the team has one room for packing.
/// </remarks>
internal abstract class MatrixProduct : IDisposable
{
    /// <summary>Computes a product with all threads.</summary>
    /// <param name="a">(m, k).</param>
    /// <param name="b">(k, n).</param>
    /// <param name="c">(m, n), its columns side by side.</param>
    /// <param name="adds">Whether to add to what c has.</param>
    public abstract void Multiply(Matrix a, Matrix b, Matrix c, bool adds = false);

    /// <summary>Computes a product on the calling thread alone, within a loop that the team shares.</summary>
    /// <param name="worker">The number of the calling thread in the team.</param>
    /// <param name="a">(m, k).</param>
    /// <param name="b">(k, n).</param>
    /// <param name="c">(m, n), its columns side by side.</param>
    /// <param name="adds">Whether to add to what c has.</param>
    public abstract void MultiplyAlone(int worker, Matrix a, Matrix b, Matrix c, bool adds = false);

    public abstract void Dispose();
}
