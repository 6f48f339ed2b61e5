// The matrix products of a training step by themselves: ours and libtorch's in turn, beside multiply-adds in registers.

using System.Diagnostics;
using NanoGpt.Backpropagation;
using NanoGpt.Native;
using NanoGpt.Numerics;
using static TorchSharp.torch;

namespace NanoGpt.Benchmarks;

internal static unsafe class Products
{
    private static readonly (string Name, int Tokens, int In, int Out)[] Shapes =
    [
        ("attention in", 256, 768, 2304), ("attention out", 256, 768, 768), ("MLP in", 256, 768, 3072), ("MLP out", 256, 3072, 768), ("vocabulary", 256, 768, 50257),
        ("MLP in", 1024, 768, 3072), ("MLP out", 1024, 3072, 768), ("vocabulary", 1024, 768, 50257),
        ("baby MLP in", 768, 128, 512), ("baby attention out", 768, 128, 128), ("baby vocabulary", 768, 128, 65),
    ];

    public static int Run()
    {
        Libtorch.EnsureLoaded();
        using var team = new WorkerTeam(get_num_threads());
        using var product = GradientKernels.Best.CreateProduct(team);
        Console.WriteLine($"{"",-20}{"tokens",7}{"in",7}{"out",7}   forward ours/torch   input gradient        weight gradient   (GFLOP/s)");
        foreach (var (name, tokens, inputs, outputs) in Shapes)
        {
            using var scope = NewDisposeScope();
            Tensor x = randn(tokens, inputs), w = randn(outputs, inputs), y = randn(tokens, outputs);
            Matrix mx = Of(x), mw = Of(w), my = Of(y);
            var flops = 2.0 * tokens * inputs * outputs;
            Console.Write($"{name,-20}{tokens,7}{inputs,7}{outputs,7}");
            Compare(flops, () => product.Multiply(mx, mw.Transposed, my), () => { using var r = nn.functional.linear(x, w); });
            Compare(flops, () => product.Multiply(my, mw, mx), () => { using var r = y.mm(w); });
            Compare(flops, () => product.Multiply(my.Transposed, mx, mw), () => { using var t = y.t(); using var r = t.mm(x); });
            Console.WriteLine();
        }

        return 0;
    }

    private static void Compare(double flops, Action ours, Action torchs)
    {
        // Turns of some length: libgomp's threads go on spinning for a while after a product and would take our core.
        const int rounds = 7;
        var turn = Math.Max(1, (int)(1e10 / flops));
        List<double> a = [], b = [];
        for (var i = 0; i < rounds; i++)
        {
            a.Add(Turn(ours, turn));
            b.Add(Turn(torchs, turn));
        }

        a.Sort();
        b.Sort();
        Console.Write($"   {flops / a[a.Count / 2] / 1e9,6:F0} /{flops / b[b.Count / 2] / 1e9,5:F0} ({flops / a[0] / 1e9:F0}/{flops / b[0] / 1e9:F0})");
    }

    private static double Turn(Action work, int times)
    {
        work();
        Thread.Sleep(20);
        var start = Stopwatch.GetTimestamp();
        for (var i = 0; i < times; i++) work();
        return Stopwatch.GetElapsedTime(start).TotalSeconds / times;
    }

    private static Matrix Of(Tensor t)
    {
        fixed (byte* first = t.bytes) return new Matrix((float*)first, (int)t.size(0), (int)t.size(1));
    }
}
