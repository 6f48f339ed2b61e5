// Training, plain TorchSharp against ours, in two processes that take turns: neither sees the other's memory or settings, and
// both see the same disturbances of the machine. Each process is this program again, told over standard input how many steps to do.

using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using NanoGpt.Native;
using NanoGpt.Training;
using static TorchSharp.torch;

namespace NanoGpt.Benchmarks;

internal static class Train
{
    private static readonly GPTConfig Gpt2 = new() { BlockSize = 1024 };
    private static readonly GPTConfig Medium = new() { NLayer = 24, NHead = 16, NEmbd = 1024, BlockSize = 1024 };
    private static readonly GPTConfig Baby = new() { NLayer = 4, NHead = 4, NEmbd = 128, BlockSize = 64, VocabSize = 65 };

    private static readonly Dictionary<string, Work> Works = new()
    {
        ["b4t64"] = new("124M, B 4, T 64", Gpt2, 4, 64, Warmup: 2, StepsAtATime: 1, Rounds: 7),
        ["b2t512"] = new("124M, B 2, T 512", Gpt2, 2, 512, Warmup: 1, StepsAtATime: 1, Rounds: 3),
        ["baby"] = new("baby GPT (4 layers, 4 heads, 128, block 64), B 12", Baby, 12, 64, Warmup: 20, StepsAtATime: 10, Rounds: 15),
        ["b1t1024"] = new("124M, B 1, T 1024", Gpt2, 1, 1024, Warmup: 1, StepsAtATime: 1, Rounds: 1),
        ["medium"] = new("gpt2-medium (355M), B 1, T 1024", Medium, 1, 1024, Warmup: 1, StepsAtATime: 1, Rounds: 1),
    };

    private static readonly string[] Default = ["b4t64", "b2t512", "baby"];

    public static string Usage =>
        $"train [{string.Join('|', Works.Keys)} ...] [--rounds N] [--only ours|plain] [--recompute] [--bfloat16] [--threads N] "
        + $"[--without {string.Join('|', SpeedSwitches().Select(property => property.Name))} ...]";

    public static int Run(ReadOnlySpan<string> arguments)
    {
        if (arguments is ["--child", var side, var work, ..]) return Child(side, Works[work], Settings.Parse(arguments[3..].ToArray()));
        var rest = arguments.ToArray();
        var chosen = rest.TakeWhile(Works.ContainsKey).ToArray();
        var options = rest[chosen.Length..];
        var settings = Settings.Parse(options);
        Console.WriteLine(Machine.Line());
        foreach (var name in chosen.Length > 0 ? chosen : Default) Compare(name, settings, options);
        return 0;
    }

    private static void Compare(string name, Settings settings, string[] options)
    {
        var work = Works[name];
        string[] names = settings.Only is { } one ? [one] : ["plain", "ours"];
        var sides = names.Select(side => new Side(side, name, options)).ToArray();
        try
        {
            for (var round = 0; round < (settings.Rounds ?? work.Rounds); round++)
            {
                foreach (var side in sides) side.Steps(work.StepsAtATime);
            }

            Console.WriteLine(string.Join(' ', [work.Name, .. options]));
            Console.WriteLine("                 wall ms/step  CPU ms/step  tokens/s  peak MB  loss");
            foreach (var side in sides) Console.WriteLine(side.Line(work.Batch * work.Length));
            if (sides is not [var plain, var ours]) return;
            Console.WriteLine($"plain / ours     {plain.Wall / ours.Wall,12:F2} {plain.Cpu / ours.Cpu,12:F2}           {ours.PeakMegabytes / plain.PeakMegabytes,8:F2} of plain's memory");
            Console.WriteLine($"largest difference of a loss: {plain.Losses.Zip(ours.Losses, (a, b) => Math.Abs(a - b)).Max():G2}");
        }
        finally
        {
            foreach (var side in sides) side.Dispose();
        }
    }

    private static int Child(string side, Work work, Settings settings)
    {
        Libtorch.EnsureLoaded();
        if (settings.Threads is { } threads) set_num_threads(threads); // on a busy machine processor time of one thread still tells
        var step = side == "plain" ? Plain(work) : Ours(work, settings);
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

    private static Func<long[], long[], long[], float> Plain(Work work)
    {
        var model = new PlainGpt(work.Config);
        DrawWeights(model, work.Config);
        return new PlainTraining(model, 6e-4).Step;
    }

    // The same weights on both sides, whatever each draws when it is made: the losses must agree.
    private static void DrawWeights(nn.Module model, GPTConfig config)
    {
        using var noGrad = no_grad();
        _ = random.manual_seed(1);
        foreach (var (name, parameter) in model.named_parameters().OrderBy(p => p.name.Replace(".mlp.", ".", StringComparison.Ordinal), StringComparer.Ordinal))
        {
            if (parameter.dim() < 2) continue;
            nn.init.normal_(parameter, 0, name.EndsWith("c_proj.weight", StringComparison.Ordinal) ? 0.02 / Math.Sqrt(2 * config.NLayer) : 0.02);
        }
    }

    // As the trainer does it, without what a run does besides: evaluations, checkpoints, files.
    private static Func<long[], long[], long[], float> Ours(Work work, Settings settings)
    {
        var options = settings.For(work);
        var model = new GPTModel(work.Config);
        DrawWeights(model, work.Config);
        var levers = SpeedLevers.Apply(model, CPU, options, null, Console.Error.WriteLine);
        var optimizer = new FusedAdamW(
            model.named_parameters().Select(p => (p.name, p.parameter, p.parameter.dim() >= 2)),
            new AdamWOptions { Backend = options.Speed.FusedOptimizer ? AdamWBackend.Auto : AdamWBackend.Plain });
        Console.Error.WriteLine($"{OneDnnProducts.Findings}{(levers.UsesOneDnn ? "; oneDNN is used" : "")}; {levers.Pass.GetType().Name}");
        var seed = 0;
        return (x, y, _) =>
        {
            var loss = levers.Pass.AddGradients(x, y, share: 1, lossScale: 1, seed++);
            optimizer.Step(6e-4, 1.0);
            optimizer.ZeroGrad();
            return (float)loss;
        };
    }

    private static IEnumerable<PropertyInfo> SpeedSwitches() => typeof(SpeedOptions).GetProperties().Where(property => property.PropertyType == typeof(bool));

    private sealed record Work(string Name, GPTConfig Config, int Batch, int Length, int Warmup, int StepsAtATime, int Rounds);

    /// <summary>What the command line asks for.</summary>
    private sealed record Settings(int? Rounds, string? Only, bool Recompute, bool BFloat16, int? Threads, SpeedOptions Speed)
    {
        public static Settings Parse(string[] options)
        {
            var settings = new Settings(null, null, Recompute: false, BFloat16: false, null, new SpeedOptions());
            for (var i = 0; i < options.Length; i++)
            {
                settings = options[i] switch
                {
                    "--rounds" => settings with { Rounds = int.Parse(options[++i], CultureInfo.InvariantCulture) },
                    "--only" => settings with { Only = options[++i] },
                    "--threads" => settings with { Threads = int.Parse(options[++i], CultureInfo.InvariantCulture) },
                    "--recompute" => settings with { Recompute = true },
                    "--bfloat16" => settings with { BFloat16 = true },
                    "--without" => settings,
                    var name => settings with { Speed = Without(settings.Speed, name) },
                };
            }

            return settings;
        }

        public TrainerOptions For(Work work) => new()
        {
            BatchSize = work.Batch, BlockSize = work.Length, GradientCheckpointing = Recompute, Speed = Speed,
            Dtype = BFloat16 ? Dtype.BFloat16 : Dtype.Float32,
        };

        private static SpeedOptions Without(SpeedOptions speed, string name)
        {
            var property = SpeedSwitches().FirstOrDefault(property => property.Name == name)
                ?? throw new ArgumentException($"no option or speed switch '{name}'; usage: {Usage}");
            var less = speed with { };
            property.SetValue(less, false);
            return less;
        }
    }

    /// <summary>One of the two processes.</summary>
    private sealed class Side : IDisposable
    {
        private readonly string _name;
        private readonly Process _process;
        private readonly List<double> _wall = [], _cpu = [];

        public Side(string name, string work, string[] options)
        {
            _name = name;
            _process = Process.Start(new ProcessStartInfo("dotnet",
                [typeof(Train).Assembly.Location, "train", "--child", name, work, .. options])
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
            })!;
            if (_process.StandardOutput.ReadLine() != "ready") throw new InvalidOperationException($"the {name} side did not start");
        }

        /// <summary>Of the last step of each turn.</summary>
        public List<double> Losses { get; } = [];

        public double Wall => Median(_wall);

        public double Cpu => Median(_cpu);

        public double PeakMegabytes { get; private set; }

        public void Steps(int count)
        {
            _process.StandardInput.WriteLine(count);
            var answer = _process.StandardOutput.ReadLine()!.Split(' ').Select(f => double.Parse(f, CultureInfo.InvariantCulture)).ToArray();
            _wall.Add(answer[0]);
            _cpu.Add(answer[1]);
            PeakMegabytes = answer[2];
            Losses.Add(answer[3]);
        }

        public string Line(int tokens) => $"{_name,-16} {Wall,12:F1} {Cpu,12:F1} {tokens / Wall * 1000,9:F0} {PeakMegabytes,8:F0}  {Losses[^1]:F4}";

        public void Dispose()
        {
            _process.StandardInput.Close();
            _process.WaitForExit();
            _process.Dispose();
        }

        private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
    }
}
