// Preparing a text larger than memory should be: time with one processor and with all, and peak memory. Each run is a process
// of its own, because a peak cannot be taken back.

using System.Diagnostics;
using System.Globalization;
using NanoGpt.Data;

namespace NanoGpt.Benchmarks;

internal static class Prepare
{
    /// <summary><c>prepare FILE [MB]</c>: FILE, repeated until there are so many megabytes, 2000 unless said.</summary>
    public static int Run(ReadOnlySpan<string> arguments)
    {
        if (arguments is ["one", var input, var output]) return RunOne(input, output);
        if (arguments is not ([_] or [_, _]))
        {
            Console.WriteLine("prepare FILE [MB]: text to repeat, such as tinyshakespeare, and how much of it there shall be");
            return 1;
        }

        var megabytes = arguments.Length == 2 ? int.Parse(arguments[1], CultureInfo.InvariantCulture) : 2000;
        var folder = Directory.CreateTempSubdirectory("nanogpt-prepare-").FullName;
        try
        {
            var text = Path.Combine(folder, "input.txt");
            Make(text, File.ReadAllBytes(arguments[0]), megabytes);
            Console.WriteLine(Machine.Line());
            Console.WriteLine($"{megabytes} MB of text\n| processors | s | CPU s | MB/s | peak resident MB |\n| --- | --- | --- | --- | --- |");
            for (var processors = 1; processors <= Environment.ProcessorCount; processors *= 2)
                Console.WriteLine(StartOne(processors, text, Path.Combine(folder, $"out-{processors}")));
            return 0;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static int RunOne(string input, string output)
    {
        var clock = Stopwatch.StartNew();
        DatasetPreparation.Prepare(new PreparationOptions { Dataset = "text", Input = input, OutDir = output });
        var (seconds, busy) = (clock.Elapsed.TotalSeconds, Environment.CpuUsage.TotalTime.TotalSeconds);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"| {Environment.ProcessorCount} | {seconds:f1} | {busy:f1} | {new FileInfo(input).Length / 1e6 / seconds:f0} | {Machine.PeakMegabytes() * 1.048576:f0} |"));
        return 0;
    }

    private static void Make(string path, byte[] part, int megabytes)
    {
        using var stream = new FileStream(path, FileMode.CreateNew);
        while (stream.Length < megabytes * 1_000_000L) stream.Write(part);
    }

    private static string StartOne(int processors, string input, string output)
    {
        using var process = Machine.StartAgain(["prepare", "one", input, output], processors);
        var line = process.StandardOutput.ReadToEnd().TrimEnd();
        Directory.Delete(output, recursive: true);
        return line;
    }
}
