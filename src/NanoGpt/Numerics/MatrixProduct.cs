// Matrix products, apart from the instruction set that computes them: what layers know of them.

namespace NanoGpt.Numerics;

/// <summary>c = a b, plus something or not, in float32.</summary>
/// <remarks>
/// Each element is summed in one order, from the first column of a to the last, whatever the number of threads and whichever
/// of them computes it. Not thread safe: each thread of the team has one room for packing.
/// </remarks>
internal abstract unsafe class MatrixProduct : IDisposable
{
    /// <summary>Computes c = a b + plus + bias with all threads.</summary>
    /// <param name="a">(m, k).</param>
    /// <param name="b">(k, n).</param>
    /// <param name="c">(m, n), its columns side by side.</param>
    /// <param name="plus">(m, n), its columns side by side, which may be c; default for nothing.</param>
    /// <param name="bias">(n), added to each row; null for nothing.</param>
    public abstract void Multiply(Matrix a, Matrix b, Matrix c, Matrix plus = default, float* bias = null);

    /// <summary>Floats that a right factor takes when packed.</summary>
    public abstract int PackedLength(int rows, int columns);

    /// <summary>Packs a right factor for <see cref="MultiplyAlone"/>.</summary>
    public abstract PackedFactor Pack(Matrix b, float* room);

    /// <summary>Computes c = a b + plus on the calling thread alone, within a loop that the team shares.</summary>
    /// <param name="worker">The number of the calling thread in the team.</param>
    /// <param name="a">(m, k), its rows or its columns side by side.</param>
    /// <param name="b">(k, n).</param>
    /// <param name="c">(m, n), its columns side by side.</param>
    /// <param name="plus">(m, n), its columns side by side, which may be c; default for nothing.</param>
    public abstract void MultiplyAlone(int worker, Matrix a, PackedFactor b, Matrix c, Matrix plus = default);

    public abstract void Dispose();
}
