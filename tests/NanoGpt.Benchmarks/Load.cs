// Loading GPT-2 124M from safetensors: time and peak memory against a plain read of the same bytes. Each way runs in a
// process of its own, because a peak cannot be taken back.

using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using NanoGpt.Formats;

namespace NanoGpt.Benchmarks;

internal static unsafe class Load
{
    private static readonly string[] Ways = ["nothing", "read", "copy", "open", "pack", "pack-int8", "first-token", "tokens"];

    public static int Run(ReadOnlySpan<string> args)
    {
        if (args.Length == 2) return RunOne(args[0], args[1]);
        Console.WriteLine(Machine.Line());
        Print(Ways, rounds: 3);
        return 0;
    }

    /// <summary>Loads in each of these ways, in processes that take turns, and prints a row for each.</summary>
    public static void Print(string[] ways, int rounds)
    {
        var folder = Directory.CreateTempSubdirectory("nanogpt-load-").FullName;
        try
        {
            Make(folder);
            Console.WriteLine("| way | ms | user ms | kernel ms | ms since the process began | peak resident MB | of the weights |");
            Console.WriteLine("| --- | --- | --- | --- | --- | --- | --- |");
            for (var round = 0; round < rounds; round++)
                foreach (var way in ways) Console.WriteLine(StartOne(way, folder));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static int RunOne(string way, string folder)
    {
        var before = Environment.CpuUsage;
        var clock = Stopwatch.StartNew();
        switch (way)
        {
            case "read": Read(Path.Combine(folder, ModelFolder.WeightsFile)); break;
            case "copy": Copy(folder); break;
            case "open": Open(folder); break;
            case "pack": Pack(folder, Dtype.Float32); break;
            case "pack-int8": Pack(folder, Dtype.Int8); break;
            case "first-token": Generate(folder, tokens: 1); break;
            case "tokens": Generate(folder, tokens: 40); break;
        }

        var after = Environment.CpuUsage;
        var (user, kernel) = ((after.UserTime - before.UserTime).TotalMilliseconds, (after.PrivilegedTime - before.PrivilegedTime).TotalMilliseconds);
        var sinceStart = (DateTime.UtcNow - Process.GetCurrentProcess().StartTime.ToUniversalTime()).TotalMilliseconds;
        var (time, weights) = (clock.Elapsed.TotalMilliseconds, GPTConfig.Gpt2.CountParameters() * sizeof(float) / 1e6);
        var peak = Machine.PeakMegabytes() * 1.048576;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {way} | {time:f0} | {user:f0} | {kernel:f0} | {sinceStart:f0} | {peak:f0} | {peak / weights:f3} |"));
        return 0;
    }

    /// <summary>The floor: the file into one piece of memory.</summary>
    private static void Read(string path)
    {
        using var file = File.OpenHandle(path);
        var length = RandomAccess.GetLength(file);
        var memory = (byte*)NativeMemory.Alloc((nuint)length);
        for (var offset = 0L; offset < length;)
            offset += RandomAccess.Read(file, new Span<byte>(memory + offset, (int)Math.Min(1 << 24, length - offset)), offset);
    }

    /// <summary>Every tensor checked, converted and transposed into memory of its own, as the torch network takes them.</summary>
    private static void Copy(string folder)
    {
        using var weights = ModelFolder.Open(folder);
        foreach (var tensor in weights.Tensors.Values)
        {
            tensor.CopyTo((float*)NativeMemory.Alloc((nuint)tensor.ElementCount * sizeof(float)));
            tensor.Release();
        }
    }

    /// <summary>Ready to generate: what the first token waits for before it is computed.</summary>
    private static void Open(string folder) => _ = GPT.FromPretrained(folder).Engine;

    /// <summary>Packed for the managed engine, which takes place in the background while the first tokens are computed.</summary>
    private static void Pack(string folder, Dtype dtype)
    {
        using var gpt = GPT.FromPretrained(folder, new() { Dtype = dtype });
        gpt.Engine.LetGoOfSource();
    }

    /// <summary>A text of eight words and what follows: all that a cold process has to do for it. Forty tokens take longer than packing.</summary>
    private static void Generate(string folder, int tokens)
    {
        using var gpt = GPT.FromPretrained(folder);
        using var pieces = gpt.GenerateStreaming("Once upon a time there was a small", new() { MaxNewTokens = 40, Temperature = 0, StopAtEndOfText = false }).GetEnumerator();
        for (var i = 0; i < tokens; i++)
        {
            if (!pieces.MoveNext() && i == 0) throw new InvalidOperationException("Nothing was generated.");
        }
    }

    /// <summary>A folder of GPT-2 124M with weights that are not all the same.</summary>
    private static void Make(string folder)
    {
        var random = new Random(1);
        var numbers = new float[GPTConfig.Gpt2.VocabSize * GPTConfig.Gpt2.NEmbd];
        for (var i = 0; i < numbers.Length; i++) numbers[i] = random.NextSingle() - 0.5f;
        fixed (float* data = numbers)
        {
            var tensors = new Dictionary<string, WeightTensor>();
            foreach (var (name, shape) in GPTWeights.Expected(GPTConfig.Gpt2))
            {
                var isInOut = GPTWeights.IsConv1D(name);
                tensors.Add(name, new WeightTensor(name, TensorType.F32, isInOut ? [shape[1], shape[0]] : shape, isInOut, (byte*)data));
            }

            using var weights = new GPTWeights(GPTConfig.Gpt2, tensors);
            ModelFolder.Save(folder, GPTConfig.Gpt2, weights);
        }
    }

    private static string StartOne(string way, string folder)
    {
        using var process = Machine.StartAgain(["load", way, folder]);
        return process.StandardOutput.ReadToEnd().TrimEnd();
    }
}
