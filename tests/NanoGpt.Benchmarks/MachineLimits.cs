// What this machine can do at most: read memory from end to end, multiply and add in registers.

using System.Diagnostics;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using NanoGpt.Numerics;

namespace NanoGpt.Benchmarks;

/// <summary>Twelve independent chains of fp32 multiply-adds on each thread: no matrix product is faster.</summary>
internal static class MultiplyAddCeiling
{
    private const long Steps = 30_000_000;

    private const double Operations = Steps * 12.0 * 2;

    // Nobody reads it, but without it the JIT may see that nobody needs the chains.
    private static float _sum;

    /// <summary>Operations a second of all threads together.</summary>
    public static double Flops(int threads)
    {
        var start = Stopwatch.GetTimestamp();
        var workers = Enumerable.Range(0, threads).Select(_ => new Thread(() => _sum += Chains(1.0001f))).ToArray();
        foreach (var worker in workers) worker.Start();
        foreach (var worker in workers) worker.Join();
        return threads * Operations * Vector256<float>.Count / Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static float Chains(float factor)
    {
        var f = Vector256.Create(factor);
        var (a, b, c, d, e, g) = (f, f, f, f, f, f);
        var (h, i, j, k, l, m) = (f, f, f, f, f, f);
        for (var step = 0L; step < Steps; step++)
        {
            a = Fma.MultiplyAdd(a, f, f);
            b = Fma.MultiplyAdd(b, f, f);
            c = Fma.MultiplyAdd(c, f, f);
            d = Fma.MultiplyAdd(d, f, f);
            e = Fma.MultiplyAdd(e, f, f);
            g = Fma.MultiplyAdd(g, f, f);
            h = Fma.MultiplyAdd(h, f, f);
            i = Fma.MultiplyAdd(i, f, f);
            j = Fma.MultiplyAdd(j, f, f);
            k = Fma.MultiplyAdd(k, f, f);
            l = Fma.MultiplyAdd(l, f, f);
            m = Fma.MultiplyAdd(m, f, f);
        }

        return (a + b + c + d + e + g + h + i + j + k + l + m)[0];
    }
}

/// <summary>Reads memory from end to end with all threads: what decoding can't be faster than.</summary>
internal sealed unsafe class StreamingRead : IDisposable
{
    private readonly NativeBuffer _buffer;
    private readonly int _threads;
    private float _sum;

    public StreamingRead(long bytes, int threads)
    {
        _threads = threads;
        _buffer = new NativeBuffer(bytes);
        NativeMemory.Fill(_buffer.Bytes, (nuint)bytes, 1);
    }

    public long Bytes => _buffer.Length;

    /// <summary>The median of seven passes.</summary>
    public double Seconds() => Enumerable.Range(0, 7).Select(_ => Pass()).Order().ElementAt(3);

    public void Dispose() => _buffer.Dispose();

    private double Pass()
    {
        var part = Bytes / _threads / 4096 * 4096;
        var workers = Enumerable.Range(0, _threads).Select(i => new Thread(() => _sum += Sum(_buffer.Bytes + i * part, part))).ToArray();
        var start = Stopwatch.GetTimestamp();
        foreach (var worker in workers) worker.Start();
        foreach (var worker in workers) worker.Join();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Sum(byte* data, long length)
    {
        var (a, b, c, d) = (Vector<float>.Zero, Vector<float>.Zero, Vector<float>.Zero, Vector<float>.Zero);
        var width = sizeof(Vector<float>);
        for (var end = data + length; data < end; data += 4 * width)
        {
            a += *(Vector<float>*)data;
            b += *(Vector<float>*)(data + width);
            c += *(Vector<float>*)(data + 2 * width);
            d += *(Vector<float>*)(data + 3 * width);
        }

        return Vector.Sum(a + b + c + d);
    }
}
