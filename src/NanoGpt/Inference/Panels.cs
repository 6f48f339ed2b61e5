// Where a matrix lies that a kernel multiplies by: cut into panels of PanelWidth outputs, each panel one sequential stream.

using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace NanoGpt.Inference;

/// <summary>Panels of a matrix in memory. In each, the weights of its outputs for column 0 lie side by side, then for column 1, ...</summary>
/// <remarks>
/// Float32: [column][output]. BFloat16: [column / 2][output][column % 2]. A panel has an even number of columns; the last is
/// zero where the matrix has an odd number.
/// </remarks>
internal readonly unsafe struct Panels(byte* data, nint stride, Dtype precision)
{
    /// <summary>First byte of the first panel.</summary>
    public byte* Data => data;

    /// <summary>From one panel to the next, in bytes.</summary>
    public nint Stride => stride;

    /// <summary>How each weight is stored.</summary>
    public Dtype Precision => precision;

    /// <summary>The same matrix from another panel on, and from a later column on.</summary>
    public Panels From(int panel, nint byteInPanel = 0) => new(data + panel * stride + byteInPanel, stride, precision);

    /// <summary>Stores one column of a float32 matrix: the values of its outputs, panel by panel.</summary>
    /// <param name="values">One value for each output.</param>
    /// <param name="count">How many outputs.</param>
    /// <param name="panelWidth">Outputs of a panel.</param>
    /// <param name="destination">The column in the first panel.</param>
    /// <param name="panelStride">From one panel to the next, in floats.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void StoreColumn(float* values, int count, int panelWidth, float* destination, nint panelStride)
    {
        for (; count > 0; count -= panelWidth, values += panelWidth, destination += panelStride)
        {
            var width = Math.Min(panelWidth, count);
            var lane = 0;
            for (; lane <= width - Vector128<float>.Count; lane += Vector128<float>.Count) Vector128.Load(values + lane).Store(destination + lane);
            for (; lane < width; lane++) destination[lane] = values[lane];
        }
    }

    /// <summary>Stores rows of a float32 matrix, which are outputs side by side in one panel.</summary>
    /// <param name="values">The first row.</param>
    /// <param name="stride">From one row to the next, in floats.</param>
    /// <param name="rows">How many rows, at most a panel's width.</param>
    /// <param name="columns">How many columns.</param>
    /// <param name="panelWidth">Outputs of a panel.</param>
    /// <param name="destination">The first row's output in the first column.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void StoreRows(float* values, nint stride, int rows, int columns, int panelWidth, float* destination)
    {
        for (var c = 0; c < columns; c++, destination += panelWidth)
        {
            var from = values + c;
            for (var row = 0; row < rows; row++, from += stride) destination[row] = *from;
        }
    }
}
