// What this machine has, what would be chosen, and why. The first thing to paste into a bug report.

using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using NanoGpt.Samples.Terminal;

namespace NanoGpt.Samples.Commands;

internal sealed record DoctorOptions;

internal sealed class DoctorCommand : Command<DoctorOptions>
{
    public override string Name => "doctor";

    public override string Summary => "what this machine has, and what would be used";

    public override IReadOnlyList<string> Examples => ["doctor"];

    protected override Task RunAsync(DoctorOptions options, Session session)
    {
        var screen = session.Output;
        foreach (var (name, value) in Findings()) screen.Line($"{screen.Paint(Ink.Cyan, $"{name,-12}")}{value}");
        return Task.CompletedTask;
    }

    private static IEnumerable<(string Name, string Value)> Findings()
    {
        yield return ("system", $"{RuntimeInformation.OSDescription}, {RuntimeInformation.OSArchitecture}");
        yield return ("runtime", RuntimeInformation.FrameworkDescription);
        yield return ("processor", $"{Environment.ProcessorCount} logical cores; {string.Join(", ", ProcessorFeatures())}");
        yield return ("memory", $"{Figures.Bytes(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes)} for this process");
    }

    private static IEnumerable<string> ProcessorFeatures()
    {
        foreach (var (name, isSupported) in new[]
        {
            ("AVX2", Avx2.IsSupported), ("FMA", Fma.IsSupported), ("AVX-512F", Avx512F.IsSupported), ("AVX-512BW", Avx512BW.IsSupported),
            ("AVX-VNNI", AvxVnni.IsSupported), ("NEON", System.Runtime.Intrinsics.Arm.AdvSimd.IsSupported),
            ("SDOT", System.Runtime.Intrinsics.Arm.Dp.IsSupported),
        })
        {
            if (isSupported) yield return name;
        }
    }
}
