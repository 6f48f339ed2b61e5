// Eight rows of eight numbers turned into columns, in registers where the processor can.

using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace NanoGpt.Numerics;

/// <summary>Transposes small blocks, the slow part of packing a factor that lies the other way round.</summary>
internal static unsafe class Transposition
{
    /// <summary>Rows and columns of a block.</summary>
    public const int Size = 8;

    /// <summary>to[j, i] = from[i, j] for a block. Each row of the result is written whole, in order.</summary>
    /// <param name="from">The first number.</param>
    /// <param name="fromStride">From one row to the next.</param>
    /// <param name="to">The first number of the result.</param>
    /// <param name="toStride">From one row of the result to the next; may be less than a row, then the next row covers the rest.</param>
    /// <param name="rows">How many rows are there, 6 or 8, a constant; with six the last two numbers of each row of the result mean nothing.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Transpose(float* from, nint fromStride, float* to, nint toStride, int rows = Size)
    {
        if (!Avx.IsSupported)
        {
            for (var j = 0; j < Size; j++)
            {
                for (var i = 0; i < rows; i++) to[j * toStride + i] = from[i * fromStride + j];
            }

            return;
        }

        // Pairs of rows, then pairs of pairs, then the two halves.
        var r0 = Vector256.Load(from);
        var r1 = Vector256.Load(from + fromStride);
        var r2 = Vector256.Load(from + 2 * fromStride);
        var r3 = Vector256.Load(from + 3 * fromStride);
        from += 4 * fromStride;
        var r4 = Vector256.Load(from);
        var r5 = Vector256.Load(from + fromStride);
        var r6 = rows == Size ? Vector256.Load(from + 2 * fromStride) : r4;
        var r7 = rows == Size ? Vector256.Load(from + 3 * fromStride) : r5;
        Vector256<float> t0 = Avx.UnpackLow(r0, r1), t1 = Avx.UnpackHigh(r0, r1), t2 = Avx.UnpackLow(r2, r3), t3 = Avx.UnpackHigh(r2, r3);
        Vector256<float> t4 = Avx.UnpackLow(r4, r5), t5 = Avx.UnpackHigh(r4, r5), t6 = Avx.UnpackLow(r6, r7), t7 = Avx.UnpackHigh(r6, r7);
        r0 = Avx.Shuffle(t0, t2, 0x44);
        r1 = Avx.Shuffle(t0, t2, 0xEE);
        r2 = Avx.Shuffle(t1, t3, 0x44);
        r3 = Avx.Shuffle(t1, t3, 0xEE);
        r4 = Avx.Shuffle(t4, t6, 0x44);
        r5 = Avx.Shuffle(t4, t6, 0xEE);
        r6 = Avx.Shuffle(t5, t7, 0x44);
        r7 = Avx.Shuffle(t5, t7, 0xEE);
        Avx.Permute2x128(r0, r4, 0x20).Store(to);
        Avx.Permute2x128(r1, r5, 0x20).Store(to + toStride);
        Avx.Permute2x128(r2, r6, 0x20).Store(to + 2 * toStride);
        Avx.Permute2x128(r3, r7, 0x20).Store(to + 3 * toStride);
        to += 4 * toStride;
        Avx.Permute2x128(r0, r4, 0x31).Store(to);
        Avx.Permute2x128(r1, r5, 0x31).Store(to + toStride);
        Avx.Permute2x128(r2, r6, 0x31).Store(to + 2 * toStride);
        Avx.Permute2x128(r3, r7, 0x31).Store(to + 3 * toStride);
    }
}
