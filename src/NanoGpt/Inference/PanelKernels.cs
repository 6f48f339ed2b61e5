// The arithmetic of the engine behind one abstract class, so that the instruction set is chosen once, by what the
// processor has, and tests can choose each. Knows panels of weights and rows of numbers, no model.

using System.Numerics;
using System.Runtime.Intrinsics;
using NanoGpt.Numerics;

namespace NanoGpt.Inference;

/// <summary>One implementation of the engine's arithmetic. Stateless, so safe to share.</summary>
/// <remarks>
/// Each result is summed in the same order whatever the number of rows: a row computed in a batch is equal, bit by bit, to
/// the row computed alone. Prompt caches, batches and speculative rows rely on it.
/// </remarks>
internal abstract unsafe class PanelKernels
{
    /// <summary>The same instruction set's arithmetic of rows.</summary>
    public abstract RowKernels Rows { get; }

    /// <summary>Outputs that lie side by side in a panel: two vectors.</summary>
    public abstract int PanelWidth { get; }

    /// <summary>All implementations that this processor can run, the best first.</summary>
    public static IReadOnlyList<PanelKernels> Supported { get; } = FindSupported();

    /// <summary>The fastest implementation that this processor can run.</summary>
    public static PanelKernels Best => Supported[0];

    /// <summary>destination += a * panels, for some rows of a and some panels side by side.</summary>
    /// <param name="a">First row, <paramref name="columnPairs"/> * 2 values.</param>
    /// <param name="aStride">From one row of a to the next, in floats.</param>
    /// <param name="rows">Rows of a and of the destination.</param>
    /// <param name="panels">First panel.</param>
    /// <param name="panelCount">Panels to multiply with.</param>
    /// <param name="columnPairs">Half the number of columns of a.</param>
    /// <param name="destination">First row: panelCount * PanelWidth values.</param>
    /// <param name="destinationStride">From one row of the destination to the next, in floats.</param>
    public abstract void MultiplyAdd(
        float* a, nint aStride, int rows, Panels panels, int panelCount, int columnPairs, float* destination, nint destinationStride);

    /// <summary>destination += a * panels, for int8 weights.</summary>
    /// <param name="a">First row, from the start of a block on.</param>
    /// <param name="rows">Rows of a and of the destination.</param>
    /// <param name="panels">First panel, at the block's first column.</param>
    /// <param name="panelCount">Panels to multiply with.</param>
    /// <param name="columnPairs">Half the number of columns.</param>
    /// <param name="destination">First row: panelCount * PanelWidth values.</param>
    /// <param name="destinationStride">From one row of the destination to the next, in floats.</param>
    public abstract void MultiplyAddQuantized(
        QuantizedRows a, int rows, QuantizedPanels panels, int panelCount, int columnPairs, float* destination, nint destinationStride);

    /// <summary>Rounds a row to 16 bits, block by block.</summary>
    /// <param name="x">The row; what lies behind its length, up to <see cref="RowKernels.PaddedLength"/>, is zero.</param>
    /// <param name="length">Values in the row.</param>
    /// <param name="values">Room for <see cref="RowKernels.PaddedLength"/> values.</param>
    /// <param name="scales">Gets the scale of each block: NaN where the block has a value that is not finite.</param>
    public abstract void Quantize(float* x, int length, short* values, float* scales);

    private static List<PanelKernels> FindSupported()
    {
        var supported = new List<PanelKernels>();
        if (Simd512.IsSupported) supported.Add(new SimdPanelKernels<Simd512, Vector512<float>, Vector512<short>, Vector512<int>>(RowKernels.Named("AVX-512")));
        if (Simd256.IsSupported) supported.Add(new SimdPanelKernels<Simd256, Vector256<float>, Vector256<short>, Vector256<int>>(RowKernels.Named("AVX2")));
        supported.Add(new SimdPanelKernels<SimdPortable, Vector<float>, Vector<short>, Vector<int>>(RowKernels.Named("portable")));
        return supported;
    }
}
