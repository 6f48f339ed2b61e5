// Generation of the managed engine beside the machine's limits (a plain streaming read for decoding, a register-bound product
// for prompts) and beside TorchSharp with a key-value cache. GPT-2 124M with random weights. Only ratios of one run count.

using System.Diagnostics;
using NanoGpt.Inference;

namespace NanoGpt.Benchmarks;

internal static class Generate
{
    private const int DecodeTokens = 48;

    /// <param name="arguments">The number of rounds, 5 where none is given, and of threads, all where none is given.</param>
    public static int Run(ReadOnlySpan<string> arguments)
    {
        var rounds = arguments.Length > 0 ? int.Parse(arguments[0]) : 5;
        var threads = arguments.Length > 1 ? int.Parse(arguments[1]) : Environment.ProcessorCount;
        Console.WriteLine($"machine: {Machine.Line()}");
        var config = GPTConfig.Gpt2;
        using var weights = MadeWeights.Random(config);
        var models = new[] { Dtype.Float32, Dtype.BFloat16, Dtype.Int8 }.Select(precision =>
        {
            var start = Stopwatch.GetTimestamp();
            var model = InferenceModel.Create(weights, precision, threads: threads);
            Console.WriteLine($"packed {precision}: {model.WeightBytes / 1e6:F0} MB in {Stopwatch.GetElapsedTime(start).TotalMilliseconds:F0} ms ({model.Kernels.Rows.Name}, {model.Threads} threads)");
            return model;
        }).ToArray();

        // Round by round through all of it, so that whatever else the machine does falls on all alike.
        var times = new Dictionary<string, List<double>>();
        void Record(string name, double seconds) => (times.TryGetValue(name, out var list) ? list : times[name] = []).Add(seconds);
        using var torch = new PlainDecoding(config);
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

                // Right behind the prompt: what the cores give changes from second to second.
                var flops = MultiplyAddCeiling.Flops(threads);
                if (isWarmUp) continue;
                Record("ceiling", flops);
                Record($"{model.Precision} share", PromptFlops(config) / seconds / flops);
            }

            seconds = torch.Seconds(prompt: 16, DecodeTokens);
            if (!isWarmUp) Record("torch decode 1", seconds);
        }

        Report(config, models, times, stream.Bytes, threads);
        foreach (var model in models) model.Dispose();
        return 0;
    }

    private static void Report(GPTConfig config, InferenceModel[] models, Dictionary<string, List<double>> times, long streamBytes, int threads)
    {
        double Median(string name) => times[name].Order().ElementAt(times[name].Count / 2);
        var read = streamBytes / Median("stream") / 1e9;
        var ceiling = Median("ceiling") / 1e9;
        Console.WriteLine($"{threads} threads: streaming read {read:F1} GB/s, fp32 multiply-add in registers {ceiling:F0} GFLOP/s");
        Console.WriteLine($"{"",-10}{"decode 1",12}{"of read",9}{"vs fp32",9}{"decode 8",12}{"vs 1",7}{"prefill 32",12}{"prefill 512",13}{"of ceiling",12}");
        var fp32 = Median("Float32 decode 1");
        foreach (var model in models)
        {
            var (one, eight) = (Median($"{model.Precision} decode 1"), Median($"{model.Precision} decode 8"));
            var (short32, long512) = (Median($"{model.Precision} prefill 32"), Median($"{model.Precision} prefill 512"));

            // Decoding reads all matrices once, and one row of each embedding.
            var bytes = model.WeightBytes - (long)config.BlockSize * config.NEmbd * sizeof(float);
            Console.WriteLine(
                $"{model.Precision,-10}{DecodeTokens / one,8:F1} t/s{bytes * DecodeTokens / one / 1e9 / read,9:P0}{fp32 / one,8:F2}x{8 * DecodeTokens / eight,8:F1} t/s"
                + $"{8 * one / eight,6:F2}x{32 / short32,8:F0} t/s{512 / long512,9:F0} t/s{Median($"{model.Precision} share"),12:P0}");
        }

        var torch = Median("torch decode 1");
        Console.WriteLine($"TorchSharp with a key-value cache, fp32: {DecodeTokens / torch:F1} t/s; ours is {torch / fp32:F2}x");
        Console.WriteLine("A process of its own from its start to the first token, and one that only loads:");
        Load.Print(["first-token", "open", "pack", "pack-int8"], rounds: 1);
    }

    /// <summary>What a prompt of 512 multiplies by the blocks' matrices; attention and the one row of logits are beside that.</summary>
    private static double PromptFlops(GPTConfig config) => 2.0 * 512 * 12L * config.NLayer * config.NEmbd * config.NEmbd;

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
}
