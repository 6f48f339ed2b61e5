// Training, plain TorchSharp against ours, in two processes that take turns: neither sees the other's memory or settings, and
// both see the same disturbances of the machine. Each process is this program again, told over standard input how many steps to do.

using System.Diagnostics;
using System.Globalization;
using NanoGpt.Native;
using NanoGpt.Training;
using static TorchSharp.torch;

namespace NanoGpt.Benchmarks;

internal static class Train
{
    private static readonly GPTConfig Gpt2 = new() { BlockSize = 1024 };
    private static readonly GPTConfig Baby = new() { NLayer = 4, NHead = 4, NEmbd = 128, BlockSize = 64, VocabSize = 65 };

    private static readonly Work[] Works =
    [
        new("124M, B 4, T 64", Gpt2, 4, 64, Warmup: 2, StepsAtATime: 1, Rounds: 7),
        new("124M, B 2, T 512", Gpt2, 2, 512, Warmup: 1, StepsAtATime: 1, Rounds: 3),
        new("baby GPT (4 layers, 4 heads, 128, block 64), B 12", Baby, 12, 64, Warmup: 20, StepsAtATime: 10, Rounds: 15),
    ];

    /// <summary><c>train [all|0|1|2] [levers left out ...]</c></summary>
    public static int Run(ReadOnlySpan<string> arguments)
    {
        if (arguments is ["--child", var side, var number, ..]) return Child(side, Works[int.Parse(number, CultureInfo.InvariantCulture)], arguments[3..].ToArray());
        var which = arguments is [var first, ..] && first != "all" ? [int.Parse(first, CultureInfo.InvariantCulture)] : Enumerable.Range(0, Works.Length).ToArray();
        Console.WriteLine(Machine.Line());
        foreach (var index in which) Compare(index, arguments.Length > 1 ? arguments[1..].ToArray() : []);
        return 0;
    }

    private static void Compare(int index, string[] without)
    {
        var work = Works[index];
        using var plain = new Side("plain", index, without);
        using var ours = new Side("ours", index, without);
        for (var round = 0; round < work.Rounds; round++)
        {
            plain.Steps(work.StepsAtATime);
            ours.Steps(work.StepsAtATime);
        }

        Console.WriteLine($"{work.Name}{(without.Length > 0 ? $" (without {string.Join(", ", without)})" : "")}");
        Console.WriteLine("                 wall ms/step  CPU ms/step  tokens/s  peak MB  loss");
        foreach (var side in new[] { plain, ours }) Console.WriteLine(side.Line(work.Batch * work.Length));
        Console.WriteLine($"plain / ours     {plain.Wall / ours.Wall,12:F2} {plain.Cpu / ours.Cpu,12:F2}           {ours.PeakMegabytes / plain.PeakMegabytes,8:F2} of plain's memory");
    }

    private static int Child(string side, Work work, string[] without)
    {
        Libtorch.EnsureLoaded();
        if (without.Contains("threads")) set_num_threads(1); // on a busy machine processor time of one thread still tells
        _ = random.manual_seed(1);
        var step = side == "plain" ? Plain(work) : Ours(work, without);
        var draw = new Random(1);
        long[] x = new long[work.Batch * work.Length], y = new long[x.Length], shape = [work.Batch, work.Length];
        var loss = 0f;
        Steps(work.Warmup);
        Console.WriteLine("ready");
        while (Console.ReadLine() is { } line)
        {
            var (wall, cpu) = (Stopwatch.GetTimestamp(), Environment.CpuUsage.TotalTime);
            var count = int.Parse(line, CultureInfo.InvariantCulture);
            Steps(count);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{Stopwatch.GetElapsedTime(wall).TotalMilliseconds / count} {(Environment.CpuUsage.TotalTime - cpu).TotalMilliseconds / count} {Machine.PeakMegabytes()} {loss}"));
        }

        return 0;

        void Steps(int count)
        {
            for (var i = 0; i < count; i++)
            {
                for (var t = 0; t < x.Length; t++) (x[t], y[t]) = (draw.Next(work.Config.VocabSize), draw.Next(work.Config.VocabSize));
                loss = step(x, y, shape);
            }
        }
    }

    private static Func<long[], long[], long[], float> Plain(Work work) => new PlainTraining(new PlainGpt(work.Config), 6e-4).Step;

    private static Func<long[], long[], long[], float> Ours(Work work, string[] without)
    {
        var heap = without.Contains("heap") ? null : GlibcHeap.Keep();
        var model = new GPTModel(work.Config);
        model.RecomputesBlocks = without.Contains("activations");
        var backend = without.Contains("adamw") ? AdamWBackend.Plain : AdamWBackend.Auto;
        var optimizer = new FusedAdamW(model.named_parameters().Select(p => (p.name, p.parameter, p.parameter.dim() >= 2)), new AdamWOptions { Backend = backend });
        return (x, y, shape) =>
        {
            GC.KeepAlive(heap);
            using var scope = NewDisposeScope();
            var loss = without.Contains("loss") ? model.forward(tensor(x, shape), tensor(y, shape)).Loss! : model.Loss(tensor(x, shape), tensor(y, shape));
            loss.backward();
            _ = optimizer.Step(6e-4, 1.0);
            optimizer.ZeroGrad();
            return loss.item<float>();
        };
    }

    private sealed record Work(string Name, GPTConfig Config, int Batch, int Length, int Warmup, int StepsAtATime, int Rounds);

    /// <summary>One of the two processes.</summary>
    private sealed class Side : IDisposable
    {
        private readonly string _name;
        private readonly Process _process;
        private readonly List<double> _wall = [], _cpu = [];
        private double _loss;

        public Side(string name, int work, string[] without)
        {
            _name = name;
            _process = Process.Start(new ProcessStartInfo("dotnet",
                [typeof(Train).Assembly.Location, "train", "--child", name, work.ToString(CultureInfo.InvariantCulture), .. without])
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
            })!;
            if (_process.StandardOutput.ReadLine() != "ready") throw new InvalidOperationException($"the {name} side did not start");
        }

        public double Wall => Median(_wall);

        public double Cpu => Median(_cpu);

        public double PeakMegabytes { get; private set; }

        public void Steps(int count)
        {
            _process.StandardInput.WriteLine(count);
            var answer = _process.StandardOutput.ReadLine()!.Split(' ').Select(f => double.Parse(f, CultureInfo.InvariantCulture)).ToArray();
            _wall.Add(answer[0]);
            _cpu.Add(answer[1]);
            (PeakMegabytes, _loss) = (answer[2], answer[3]);
        }

        public string Line(int tokens) => $"{_name,-16} {Wall,12:F1} {Cpu,12:F1} {tokens / Wall * 1000,9:F0} {PeakMegabytes,8:F0}  {_loss:F4}";

        public void Dispose()
        {
            _process.StandardInput.Close();
            _process.WaitForExit();
            _process.Dispose();
        }

        private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
    }
}
