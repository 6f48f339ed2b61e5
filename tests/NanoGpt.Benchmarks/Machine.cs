// What a figure was measured on.

using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace NanoGpt.Benchmarks;

internal static class Machine
{
    /// <summary>Processor, cores, vectors, memory, system, how busy, and when: printed above each table.</summary>
    public static string Line()
    {
        var isLinux = OperatingSystem.IsLinux();
        var name = isLinux ? File.ReadLines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal))?.Split(':')[1].Trim() : null;
        var vectors = Avx512F.IsSupported ? "AVX-512" : Avx2.IsSupported ? "AVX2" : "no AVX2";
        var memory = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes >> 30;
        var load = isLinux ? $"load {File.ReadAllText("/proc/loadavg").Split(' ')[0]}, " : "";
        return string.Create(CultureInfo.InvariantCulture,
            $"{name ?? RuntimeInformation.ProcessArchitecture.ToString()}, {Environment.ProcessorCount} cores, {vectors}, {memory} GB, {RuntimeInformation.OSDescription}, .NET {Environment.Version}, {load}{DateTimeOffset.UtcNow:yyyy-MM-dd}");
    }

    /// <summary>Starts this program again, with other arguments; its standard output is the caller's to read.</summary>
    /// <param name="arguments">The benchmark and what it takes.</param>
    /// <param name="processors">How many the process may use (Linux, by taskset); 0 for all.</param>
    public static Process StartAgain(IEnumerable<string> arguments, int processors = 0)
    {
        var program = Environment.ProcessPath!;
        List<string> line = [program, .. arguments];
        if (Path.GetFileNameWithoutExtension(program) == "dotnet") line.Insert(1, typeof(Machine).Assembly.Location);
        if (processors > 0) line.InsertRange(0, ["taskset", "-c", $"0-{processors - 1}"]);
        return Process.Start(new ProcessStartInfo(line[0], line.Skip(1)) { RedirectStandardOutput = true })!;
    }

    /// <summary>The most memory that this process has held at once; 0 where the system does not say.</summary>
    public static long PeakMegabytes()
    {
        if (!OperatingSystem.IsLinux()) return 0;
        var line = File.ReadLines("/proc/self/status").First(l => l.StartsWith("VmHWM:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) >> 10;
    }
}
