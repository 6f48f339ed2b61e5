// Generation of the managed engine beside the machine's limits: a plain streaming read for decoding, a register-bound
// product for prompts. GPT-2 124M with random weights made on the fly. Only ratios of one run count.

using System.Diagnostics;
using System.Runtime.InteropServices;
using NanoGpt.Formats;
using NanoGpt.Inference;

namespace NanoGpt.Benchmarks;

internal static unsafe class Generate
{
    private const int DecodeTokens = 48;

    /// <param name="arguments">The number of rounds, 5 where none is given, and of threads, all where none is given.</param>
    public static int Run(ReadOnlySpan<string> arguments)
    {
        var rounds = arguments.Length > 0 ? int.Parse(arguments[0]) : 5;
        var threads = arguments.Length > 1 ? int.Parse(arguments[1]) : Environment.ProcessorCount;
        Console.WriteLine($"machine: {Machine.Line()}");
        var config = GPTConfig.Gpt2;
        using var weights = RandomWeights(config);
        var models = new[] { Dtype.Float32, Dtype.BFloat16, Dtype.Int8 }.Select(precision =>
        {
            var start = Stopwatch.GetTimestamp();
            var model = InferenceModel.Create(weights, precision, threads: threads);
            Console.WriteLine($"packed {precision}: {model.WeightBytes / 1e6:F0} MB in {Stopwatch.GetElapsedTime(start).TotalMilliseconds:F0} ms ({model.Kernels.Name}, {model.Threads} threads)");
            return model;
        }).ToArray();

        // Round by round through all of it, so that whatever else the machine does falls on all alike.
        var times = new Dictionary<string, List<double>>();
        void Record(string name, double seconds) => (times.TryGetValue(name, out var list) ? list : times[name] = []).Add(seconds);
        using var stream = new StreamingRead(config.CountParameters() * sizeof(float), threads);
        for (var round = -1; round < rounds; round++)
        {
            var isWarmUp = round < 0;
            var seconds = stream.Seconds();
            if (!isWarmUp) Record("stream", seconds);
            foreach (var model in models)
            {
                foreach (var batch in new[] { 1, 8 })
                {
                    seconds = Decode(model, batch);
                    if (!isWarmUp) Record($"{model.Precision} decode {batch}", seconds);
                }

                foreach (var length in new[] { 32, 512 })
                {
                    seconds = Prefill(model, length);
                    if (!isWarmUp) Record($"{model.Precision} prefill {length}", seconds);
                }
            }

            seconds = MatrixCeiling(threads);
            if (!isWarmUp) Record("ceiling", seconds);
        }

        Report(config, models, times, stream.Bytes, threads);
        foreach (var model in models) model.Dispose();
        return 0;
    }

    private static void Report(GPTConfig config, InferenceModel[] models, Dictionary<string, List<double>> times, long streamBytes, int threads)
    {
        double Median(string name) => times[name].Order().ElementAt(times[name].Count / 2);
        var read = streamBytes / Median("stream") / 1e9;
        var ceiling = threads * CeilingFlops / Median("ceiling") / 1e9;
        Console.WriteLine($"{threads} threads: streaming read {read:F1} GB/s, fp32 multiply-add in registers {ceiling:F0} GFLOP/s");
        Console.WriteLine($"{"",-10}{"decode 1",12}{"of read",9}{"vs fp32",9}{"decode 8",12}{"vs 1",7}{"prefill 32",12}{"prefill 512",13}{"of ceiling",12}");
        var fp32 = Median("Float32 decode 1");
        foreach (var model in models)
        {
            var (one, eight) = (Median($"{model.Precision} decode 1"), Median($"{model.Precision} decode 8"));
            var (short32, long512) = (Median($"{model.Precision} prefill 32"), Median($"{model.Precision} prefill 512"));

            // Decoding reads all matrices once, and one row of each embedding; a prompt multiplies by the blocks' matrices.
            var bytes = model.WeightBytes - (long)config.BlockSize * config.NEmbd * sizeof(float);
            var flops = 2.0 * 512 * 12L * config.NLayer * config.NEmbd * config.NEmbd;
            Console.WriteLine(
                $"{model.Precision,-10}{DecodeTokens / one,8:F1} t/s{bytes * DecodeTokens / one / 1e9 / read,9:P0}{fp32 / one,8:F2}x{8 * DecodeTokens / eight,8:F1} t/s"
                + $"{8 * one / eight,6:F2}x{32 / short32,8:F0} t/s{512 / long512,9:F0} t/s{flops / long512 / 1e9 / ceiling,12:P0}");
        }

        Console.WriteLine($"resident memory with all three: {Process.GetCurrentProcess().WorkingSet64 / 1e6:F0} MB");
    }

    private static double Decode(InferenceModel model, int batch)
    {
        var sessions = Enumerable.Range(0, batch).Select(_ => model.CreateSession()).ToArray();
        InferenceSession.Prefill(sessions.Select((session, i) => (session, Enumerable.Range(i, 16).ToArray())).ToList());
        var start = Stopwatch.GetTimestamp();
        for (var i = 0; i < DecodeTokens; i++) InferenceSession.Prefill(sessions.Select(session => (session, new[] { i })).ToList());
        var seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        foreach (var session in sessions) session.Dispose();
        return seconds;
    }

    private static double Prefill(InferenceModel model, int length)
    {
        using var session = model.CreateSession();
        var ids = Enumerable.Range(100, length).ToArray();
        var start = Stopwatch.GetTimestamp();
        session.Prefill(ids);
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private const long CeilingSteps = 30_000_000;

    private static double CeilingFlops => CeilingSteps * 12.0 * 2 * System.Runtime.Intrinsics.Vector256<float>.Count;

    /// <summary>Twelve independent chains of multiply-adds on each thread.</summary>
    private static double MatrixCeiling(int threads)
    {
        var start = Stopwatch.GetTimestamp();
        var workers = Enumerable.Range(0, threads).Select(_ => new Thread(() => Chains(1.0001f))).ToArray();
        foreach (var worker in workers) worker.Start();
        foreach (var worker in workers) worker.Join();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.AggressiveOptimization)]
    private static float Chains(float factor)
    {
        var f = System.Runtime.Intrinsics.Vector256.Create(factor);
        var (a, b, c, d, e, g) = (f, f, f, f, f, f);
        var (h, i, j, k, l, m) = (f, f, f, f, f, f);
        for (var step = 0L; step < CeilingSteps; step++)
        {
            a = System.Runtime.Intrinsics.X86.Fma.MultiplyAdd(a, f, f);
            b = System.Runtime.Intrinsics.X86.Fma.MultiplyAdd(b, f, f);
            c = System.Runtime.Intrinsics.X86.Fma.MultiplyAdd(c, f, f);
            d = System.Runtime.Intrinsics.X86.Fma.MultiplyAdd(d, f, f);
            e = System.Runtime.Intrinsics.X86.Fma.MultiplyAdd(e, f, f);
            g = System.Runtime.Intrinsics.X86.Fma.MultiplyAdd(g, f, f);
            h = System.Runtime.Intrinsics.X86.Fma.MultiplyAdd(h, f, f);
            i = System.Runtime.Intrinsics.X86.Fma.MultiplyAdd(i, f, f);
            j = System.Runtime.Intrinsics.X86.Fma.MultiplyAdd(j, f, f);
            k = System.Runtime.Intrinsics.X86.Fma.MultiplyAdd(k, f, f);
            l = System.Runtime.Intrinsics.X86.Fma.MultiplyAdd(l, f, f);
            m = System.Runtime.Intrinsics.X86.Fma.MultiplyAdd(m, f, f);
        }

        return (a + b + c + d + e + g + h + i + j + k + l + m)[0];
    }

    internal static GPTWeights RandomWeights(GPTConfig config)
    {
        var buffers = new List<NativeBuffer>();
        var tensors = new Dictionary<string, WeightTensor>();
        foreach (var (name, shape) in GPTWeights.Expected(config))
        {
            var count = shape.Aggregate(1L, (product, size) => product * size);
            var buffer = NativeBuffer.OfFloats(count);
            var state = (uint)name.Length * 2654435761u;
            for (var i = 0L; i < count; i++)
            {
                state = state * 1664525 + 1013904223;
                buffer.Floats[i] = ((int)(state >> 8) - (1 << 23)) * (0.035f / (1 << 23));
            }

            buffers.Add(buffer);
            var isInOut = GPTWeights.IsConv1D(name); // As Hugging Face stores them.
            tensors[name] = new WeightTensor(name, TensorType.F32, isInOut ? [shape[1], shape[0]] : shape, isInOut, buffer.Bytes);
        }

        return new GPTWeights(config, tensors, new Buffers(buffers));
    }

    private sealed class Buffers(List<NativeBuffer> buffers) : IDisposable
    {
        public void Dispose() => buffers.ForEach(buffer => buffer.Dispose());
    }

    /// <summary>Reads memory from end to end with all threads: what decoding can't be faster than.</summary>
    private sealed class StreamingRead : IDisposable
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

        [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.AggressiveOptimization)]
        private static float Sum(byte* data, long length)
        {
            var (a, b, c, d) = (System.Numerics.Vector<float>.Zero, System.Numerics.Vector<float>.Zero, System.Numerics.Vector<float>.Zero, System.Numerics.Vector<float>.Zero);
            var width = sizeof(System.Numerics.Vector<float>);
            for (var end = data + length; data < end; data += 4 * width)
            {
                a += *(System.Numerics.Vector<float>*)data;
                b += *(System.Numerics.Vector<float>*)(data + width);
                c += *(System.Numerics.Vector<float>*)(data + 2 * width);
                d += *(System.Numerics.Vector<float>*)(data + 3 * width);
            }

            return System.Numerics.Vector.Sum(a + b + c + d);
        }
    }
}
