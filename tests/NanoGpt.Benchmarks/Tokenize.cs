// Tokenizing: ours, Microsoft.ML.Tokenizers as it comes, and tiktoken's wasm build where Node.js has it. The sides take turns,
// so all see the same disturbances of the machine. Then the inputs that a quadratic merge would stall on.

using System.Diagnostics;
using System.Globalization;
using System.Text;
using Microsoft.ML.Tokenizers;
using NanoGpt.Tokenization;
using Tokenizer = NanoGpt.Tokenization.Tokenizer;

namespace NanoGpt.Benchmarks;

internal static class Tokenize
{
    private const int Rounds = 15;

    /// <summary><c>tokenize FILE</c>; FILE is English text of about 1 MB. tiktoken is found where Node.js finds it from the current folder.</summary>
    public static int Run(ReadOnlySpan<string> arguments)
    {
        if (arguments is not [var path])
        {
            Console.WriteLine("tokenize FILE: about 1 MB of English text, such as tinyshakespeare");
            return 1;
        }

        Console.WriteLine(Machine.Line());
        var text = File.ReadAllText(path);
        Compare(path, text);
        Repeat();
        return 0;
    }

    private static void Compare(string path, string text)
    {
        var vocabulary = ((Gpt2Tokenizer)Tokenizer.Gpt2).Vocabulary;
        var ranks = Ranks();
        var (ours, microsoft) = (Tokenizer.Gpt2, CreateMicrosoft(ranks));
        using var wasm = NodeTiktoken.TryStart(path);
        var ids = ours.Encode(text);
        if (!ids.SequenceEqual(microsoft.EncodeToIds(text))) throw new InvalidOperationException("the two sides give different ids");

        var sides = new List<Side>
        {
            new("ours, first text", () => { var fresh = new Gpt2Tokenizer(vocabulary); return Clock(() => fresh.Encode(text)); }),
            new("ours, its cache warm", () => Clock(() => ours.Encode(text))),
            new("Microsoft.ML.Tokenizers, first text", () => { var fresh = CreateMicrosoft(ranks); return Clock(() => fresh.EncodeToIds(text)); }),
            new("Microsoft.ML.Tokenizers, its cache warm", () => Clock(() => microsoft.EncodeToIds(text))),
        };
        if (wasm is not null) sides.Add(new("tiktoken (npm, wasm)", wasm.Encode));

        foreach (var side in sides) side.Measure(); // JIT and first touches
        foreach (var side in sides) side.Clear();
        for (var round = 0; round < Rounds; round++)
        {
            foreach (var side in sides) side.Measure();
        }

        var megabytes = Encoding.UTF8.GetByteCount(text) / 1e6;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Path.GetFileName(path)}, {megabytes:F2} MB, {ids.Count} ids, one thread, {Rounds} rounds; MB/s: median and best of CPU time, median of wall time"));
        foreach (var side in sides)
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {side.Name,-42} {megabytes / side.MedianCpu,7:F1} {megabytes / side.BestCpu,7:F1} {megabytes / side.MedianWall,7:F1}"));
        foreach (var other in sides.Skip(2))
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  ours, first text / {other.Name}: {other.MedianCpu / sides[0].MedianCpu:F1} (CPU), {other.MedianWall / sides[0].MedianWall:F1} (wall)"));
        if (wasm is null) Console.WriteLine("  tiktoken (npm, wasm): not measured; npm install tiktoken in this folder");
        var create = Clock(() => Gpt2Tokenizer.ReadEmbedded());
        var theirs = Clock(() => CreateMicrosoft(ranks));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  vocabulary ready: ours {create.Cpu * 1000:F0} ms, Microsoft.ML.Tokenizers {theirs.Cpu * 1000:F0} ms of CPU time (warm process)"));
    }

    private static void Repeat()
    {
        Console.WriteLine("one unit a million times, one text: seconds of CPU time for half a million, a million, and the ratio");
        var microsoft = CreateMicrosoft(Ranks());
        foreach (var (name, unit) in new[] { ("a", "a"), ("space", " "), ("^", "^"), ("emoji", "\U0001F600"), ("a\u00E9", "a\u00E9"), ("' s", "' s") })
        {
            var half = Best(() => Tokenizer.Gpt2.Encode(Repeated(unit, 500_000)));
            var whole = Best(() => Tokenizer.Gpt2.Encode(Repeated(unit, 1_000_000)));
            var short1 = Best(() => microsoft.EncodeToIds(Repeated(unit, 10_000)));
            var short2 = Best(() => microsoft.EncodeToIds(Repeated(unit, 20_000)));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"  {name,-6} {half,7:F3} {whole,7:F3} {whole / half,5:F2}   Microsoft.ML.Tokenizers, ten and twenty thousand: {short1,7:F3} {short2,7:F3} {short2 / short1,5:F2}"));
        }

        static string Repeated(string unit, int count) => new StringBuilder().Insert(0, unit, count).ToString();

        static double Best(Action action) => Enumerable.Range(0, 5).Min(_ => Clock(action).Cpu);
    }

    private static byte[] Ranks()
    {
        var ranks = new StringBuilder();
        for (var id = 0; id < 50256; id++) ranks.Append(Convert.ToBase64String(Tokenizer.Gpt2.GetBytes(id))).Append(' ').Append(id).Append('\n');
        return Encoding.ASCII.GetBytes(ranks.ToString());
    }

    private static TiktokenTokenizer CreateMicrosoft(byte[] ranks)
    {
        using var stream = new MemoryStream(ranks);
        return TiktokenTokenizer.CreateForModel("gpt2", stream);
    }

    private static (double Wall, double Cpu) Clock(Action action)
    {
        GC.Collect();
        var (wall, cpu) = (Stopwatch.GetTimestamp(), Environment.CpuUsage.TotalTime);
        action();
        return (Stopwatch.GetElapsedTime(wall).TotalSeconds, (Environment.CpuUsage.TotalTime - cpu).TotalSeconds);
    }

    private sealed class Side(string name, Func<(double Wall, double Cpu)> encode)
    {
        private readonly List<(double Wall, double Cpu)> _times = [];

        public string Name => name;

        public double MedianCpu => _times.Select(t => t.Cpu).Order().ElementAt(_times.Count / 2);

        public double BestCpu => _times.Min(t => t.Cpu);

        public double MedianWall => _times.Select(t => t.Wall).Order().ElementAt(_times.Count / 2);

        public void Measure() => _times.Add(encode());

        public void Clear() => _times.Clear();
    }

    /// <summary>Node.js with tiktoken: encodes the file once for each line that it is sent, and answers with the seconds.</summary>
    private sealed class NodeTiktoken(Process node) : IDisposable
    {
        private const string Script = """
            const text = require('fs').readFileSync(process.argv[1], 'utf8');
            const encoding = require(require.resolve('tiktoken', { paths: [process.cwd()] })).get_encoding('gpt2');
            require('readline').createInterface({ input: process.stdin }).on('line', () => {
                const cpu = process.cpuUsage(), wall = process.hrtime.bigint();
                encoding.encode_ordinary(text);
                const used = process.cpuUsage(cpu);
                console.log(Number(process.hrtime.bigint() - wall) / 1e9 + ' ' + (used.user + used.system) / 1e6);
            });
            console.log('ready');
            """;

        public static NodeTiktoken? TryStart(string path)
        {
            try
            {
                var start = new ProcessStartInfo("node", ["-e", Script, path]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
                var node = Process.Start(start)!;
                return node.StandardOutput.ReadLine() == "ready" ? new NodeTiktoken(node) : null;
            }
            catch (System.ComponentModel.Win32Exception)
            {
                return null;
            }
        }

        public (double Wall, double Cpu) Encode()
        {
            node.StandardInput.WriteLine();
            var answer = node.StandardOutput.ReadLine()!.Split(' ');
            return (double.Parse(answer[0], CultureInfo.InvariantCulture), double.Parse(answer[1], CultureInfo.InvariantCulture));
        }

        public void Dispose()
        {
            node.StandardInput.Close();
            node.WaitForExit();
            node.Dispose();
        }
    }
}
