// From a matrix as it lies in a file or in torch's memory to the panels that the kernels read. Each weight is touched once
// (int8: twice), and what Hugging Face stores [in, out] needs no transposition on the way.

using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using NanoGpt.Formats;

namespace NanoGpt.Inference;

/// <summary>Fills panels of a <see cref="PackedMatrix"/>.</summary>
/// <param name="source">The weights.</param>
/// <param name="matrix">The matrix that they are; knows its shape here.</param>
internal sealed unsafe class PanelPacking(WeightTensor source, PackedMatrix matrix)
{
    /// <summary>Columns of a panel that are widened, then rounded, while they are in the first-level cache. Even.</summary>
    private const int TileColumns = 64;

    /// <summary>A row of weights so small that one by its scale is no number is a row of zeros.</summary>
    private const float SmallestScale = 1.17549435e-38f;

    private readonly byte* _data = source.Data;
    private readonly int _panelWidth = matrix.PanelWidth;

    /// <summary>Packs some panels, at most <see cref="PackedMatrix.GroupPanels"/>. Zeros beyond the matrix are left to the caller.</summary>
    public void Pack(int firstPanel, int panels, PackedPanels destination)
    {
        var firstRow = firstPanel * _panelWidth;
        var rows = Math.Min(panels * _panelWidth, matrix.Outputs - firstRow);
        if (matrix.Precision == Dtype.Float32)
        {
            for (var c = 0; c < matrix.Inputs; c += TileColumns)
                Read(firstRow, rows, c, (float*)destination.Data + (nint)c * _panelWidth, destination.Stride / sizeof(float));
            return;
        }

        // Beyond the last output the tile stays zero.
        var tileLength = TileColumns * _panelWidth;
        var tile = stackalloc float[panels * tileLength];
        new Span<float>(tile, panels * tileLength).Clear();
        var scales = matrix.Precision == Dtype.Int8 ? destination.Scales : null;
        if (scales is not null) FindScales(firstRow, rows, panels, tile, scales);
        for (var c = 0; c < matrix.Inputs; c += TileColumns)
        {
            var columns = ReadTile(firstRow, rows, c, panels, tile);
            for (var panel = 0; panel < panels; panel++)
            {
                var from = tile + panel * tileLength;
                var to = destination.From(panel).Data + (nint)(c / 2) * matrix.PairStride;
                if (scales is null) EncodeBFloat16(from, columns, _panelWidth, (uint*)to);
                else EncodeInt8(from, columns, _panelWidth, scales + panel * _panelWidth, (short*)to);
            }
        }
    }

    /// <summary>The scale of each output: the largest of its weights is 127 times it. NaN where one is not finite: the logits will tell.</summary>
    private void FindScales(int firstRow, int rows, int panels, float* tile, float* scales)
    {
        new Span<float>(scales, panels * _panelWidth).Clear();
        for (var c = 0; c < matrix.Inputs; c += TileColumns)
        {
            var columns = ReadTile(firstRow, rows, c, panels, tile);
            for (var panel = 0; panel < panels; panel++)
                KeepLargest(tile + panel * TileColumns * _panelWidth, columns, _panelWidth, scales + panel * _panelWidth);
        }

        for (var row = 0; row < panels * _panelWidth; row++) scales[row] = float.IsFinite(scales[row]) ? scales[row] / sbyte.MaxValue : float.NaN;
    }

    /// <summary>Reads a tile; where the matrix ends with an odd column, a column of zeros follows.</summary>
    /// <returns>How many columns, an even number.</returns>
    private int ReadTile(int firstRow, int rows, int firstColumn, int panels, float* tile)
    {
        Read(firstRow, rows, firstColumn, tile, TileColumns * _panelWidth);
        var columns = Math.Min(TileColumns, matrix.Inputs - firstColumn);
        if (columns % 2 == 0) return columns;
        for (var panel = 0; panel < panels; panel++)
            new Span<float>(tile + (panel * TileColumns + columns) * _panelWidth, _panelWidth).Clear();
        return columns + 1;
    }

    /// <summary>Up to <see cref="TileColumns"/> columns of some rows of the [out, in] matrix, as float32 [panel][column][output].</summary>
    private void Read(int firstRow, int rows, int firstColumn, float* destination, nint panelStride)
    {
        var columns = Math.Min(TileColumns, matrix.Inputs - firstColumn);
        if (source.IsInOut)
        {
            ReadStoredColumns(firstRow, rows, firstColumn, columns, destination, panelStride);
            return;
        }

        for (var row = 0; row < rows; row += _panelWidth, destination += panelStride)
            ReadStoredRows(firstRow + row, Math.Min(_panelWidth, rows - row), firstColumn, columns, destination);
    }

    /// <summary>Stored [in, out]: the outputs of a column lie side by side already.</summary>
    private void ReadStoredColumns(int firstRow, int rows, int firstColumn, int columns, float* destination, nint panelStride)
    {
        var widened = stackalloc float[PackedMatrix.GroupPanels * _panelWidth];
        for (var c = 0; c < columns; c++, destination += _panelWidth)
        {
            var stored = _data + ((long)(firstColumn + c) * matrix.Outputs + firstRow) * source.ElementSize;
            var values = source.Type == TensorType.F32 ? (float*)stored : widened;
            if (values == widened) FloatConversion.ToSingle(source.Type, stored, new Span<float>(widened, rows));
            Panels.StoreColumn(values, rows, _panelWidth, destination, panelStride);
        }
    }

    /// <summary>Stored [out, in].</summary>
    private void ReadStoredRows(int firstRow, int rows, int firstColumn, int columns, float* destination)
    {
        var stored = _data + ((long)firstRow * matrix.Inputs + firstColumn) * source.ElementSize;
        if (source.Type == TensorType.F32)
        {
            Panels.StoreRows((float*)stored, matrix.Inputs, rows, columns, _panelWidth, destination);
            return;
        }

        var widened = stackalloc float[_panelWidth * TileColumns];
        for (var row = 0; row < rows; row++)
            FloatConversion.ToSingle(source.Type, stored + (long)row * matrix.Inputs * source.ElementSize, new Span<float>(widened + row * TileColumns, columns));
        Panels.StoreRows(widened, TileColumns, rows, columns, _panelWidth, destination);
    }

    /// <summary>The largest magnitude of each output so far; not finite where a weight is not.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void KeepLargest(float* tile, int columns, int panelWidth, float* largest)
    {
        for (var lane = 0; lane < panelWidth; lane += Vector128<float>.Count)
        {
            var best = Vector128.Load(largest + lane);
            for (var c = 0; c < columns; c++)
            {
                // A NaN is larger than all, and stays.
                var value = Vector128.Abs(Vector128.Load(tile + c * panelWidth + lane));
                var stays = Vector128.LessThanOrEqual(value, best) | ~Vector128.Equals(best, best);
                best = Vector128.ConditionalSelect(stays, best, value);
            }

            best.Store(largest + lane);
        }
    }

    /// <summary>Rounds to the upper half of a float32, to nearest even. [column][output] -> [column / 2][output][column % 2]</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void EncodeBFloat16(float* tile, int columns, int panelWidth, uint* panel)
    {
        for (var c = 0; c < columns; c += 2, tile += 2 * panelWidth, panel += panelWidth)
        {
            for (var lane = 0; lane < panelWidth; lane += Vector128<float>.Count)
            {
                var even = RoundToBFloat16(Vector128.Load(tile + lane));
                var odd = RoundToBFloat16(Vector128.Load(tile + panelWidth + lane));
                (Vector128.ShiftRightLogical(even, 16) | (odd & Vector128.Create(0xFFFF0000u))).Store(panel + lane);
            }
        }
    }

    /// <summary>The rounded value in the upper half of each lane; a NaN stays one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<uint> RoundToBFloat16(Vector128<float> value)
    {
        var bits = value.AsUInt32();
        var rounded = bits + Vector128.Create(0x7FFFu) + (Vector128.ShiftRightLogical(bits, 16) & Vector128.Create(1u));
        return Vector128.ConditionalSelect(Vector128.Equals(value, value).AsUInt32(), rounded, bits | Vector128.Create(0x400000u));
    }

    /// <summary>Rounds to multiples of the scales. [column][output] -> [column / 2][output][column % 2]</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void EncodeInt8(float* tile, int columns, int panelWidth, float* scales, short* panel)
    {
        // Added to a number of up to 2^22, it leaves the nearest integer in the lowest bits.
        var rounding = Vector128.Create(12582912f);
        for (var lane = 0; lane < panelWidth; lane += Vector128<float>.Count)
        {
            var scale = Vector128.Load(scales + lane);
            var isUsable = Vector128.GreaterThanOrEqual(scale, Vector128.Create(SmallestScale));
            var factor = Vector128.ConditionalSelect(isUsable, Vector128<float>.One / scale, Vector128<float>.Zero);
            for (var c = 0; c < columns; c += 2)
            {
                var even = Vector128.Load(tile + c * panelWidth + lane) * factor + rounding;
                var odd = Vector128.Load(tile + (c + 1) * panelWidth + lane) * factor + rounding;
                var pairs = (even.AsInt32() & Vector128.Create(0xFF)) | Vector128.ShiftLeft(odd.AsInt32() & Vector128.Create(0xFF), 8);
                Vector128.Narrow(pairs, pairs).GetLower().Store(panel + c / 2 * panelWidth + lane);
            }
        }
    }
}
