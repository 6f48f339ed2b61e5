// What this machine has, what would be chosen, and why. The first thing to paste into a bug report.

using System.Diagnostics;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;
using NanoGpt.Hub;
using NanoGpt.Samples.Terminal;
using TorchSharp;

namespace NanoGpt.Samples.Commands;

internal sealed record DoctorOptions;

internal sealed class DoctorCommand : Command<DoctorOptions>
{
    public override string Name => "doctor";

    public override string Summary => "what this machine has, and what would be used";

    public override IReadOnlyList<string> Examples => ["doctor", "doctor > report.txt"];

    protected override Task RunAsync(DoctorOptions options, Session session)
    {
        var screen = session.Output;
        var isWell = true;
        foreach (var (name, value) in Machine().Concat(Torch(ref isWell))) screen.Line($"{screen.Paint(Ink.Cyan, $"{name,-12}")}{value}");
        return isWell ? Task.CompletedTask : throw new BackendException("libtorch cannot be used: training will not work here, generating on the CPU will.");
    }

    private static IEnumerable<(string Name, string Value)> Machine()
    {
        yield return ("nanogpt", typeof(GPTConfig).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0]);
        yield return ("runtime", $"{RuntimeInformation.FrameworkDescription}, {RuntimeInformation.RuntimeIdentifier}");
        yield return ("system", RuntimeInformation.OSDescription);
        yield return ("processor", $"{ProcessorName()}, {Environment.ProcessorCount} logical cores for this process");
        yield return ("vectors", string.Join(", ", VectorExtensions()));
        yield return ("memory", $"{Figures.Bytes(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes)} for this process");
        yield return ("disk", $"{Figures.Bytes(new DriveInfo(Environment.CurrentDirectory).AvailableFreeSpace)} free here");
        yield return ("models", HubModels());
        yield return ("terminal", $"{(Console.IsOutputRedirected ? "redirected" : $"{Console.WindowWidth} columns")}, TERM={Variable("TERM")}, NO_COLOR={Variable("NO_COLOR")}");
        foreach (var name in new[] { "NANOGPT_LIBTORCH", "HF_HOME", "HF_HUB_CACHE", "HF_ENDPOINT", "HF_HUB_OFFLINE", "OMP_NUM_THREADS" })
        {
            if (Environment.GetEnvironmentVariable(name) is { Length: > 0 } value) yield return ("variable", $"{name}={value}");
        }
    }

    private static List<(string Name, string Value)> Torch(ref bool isWell)
    {
        try
        {
            using var probe = new GPTModel(new GPTConfig { VocabSize = 1, BlockSize = 1, NLayer = 1, NHead = 1, NEmbd = 1 }); // loads libtorch
            var best = torch.cuda.is_available() ? "cuda" : torch.mps_is_available() ? "mps" : "cpu";
            using var libtorch = Process.GetCurrentProcess();
            var file = libtorch.Modules.Cast<ProcessModule>().FirstOrDefault(m => m.ModuleName.Contains("torch_cpu", StringComparison.Ordinal))?.FileName;
            return
            [
                ("libtorch", $"{torch.__version__} from {Path.GetDirectoryName(file) ?? "an unknown place"}, {torch.get_num_threads()} threads"),
                ("gpu", best switch { "cuda" => $"{torch.cuda.device_count()} by CUDA", "mps" => "Apple's, by mps", _ => "none that this libtorch can use" }),
                ("training", $"on {best}{(best == "cpu" ? ", for want of such a GPU" : "")}; --device chooses another"),
                ("generating", "on the CPU, by the managed engine; libtorch is not needed for it"),
            ];
        }
        catch (BackendException e)
        {
            isWell = false;
            return [("libtorch", e.Message)];
        }
    }

    private static string HubModels()
    {
        var cache = new HubCache();
        try
        {
            var models = cache.Scan();
            return $"{models.Count} in {cache.Directory}, {Figures.Bytes(models.Sum(model => model.SizeBytes))}";
        }
        catch (HubException e)
        {
            return e.Message;
        }
    }

    private static string Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : "(not set)";

    private static string ProcessorName()
    {
        if (!OperatingSystem.IsLinux()) return RuntimeInformation.OSArchitecture.ToString();
        var line = File.ReadLines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal));
        return line?[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim() ?? RuntimeInformation.OSArchitecture.ToString();
    }

    private static IEnumerable<string> VectorExtensions()
    {
        var known = new (string Name, bool IsThere)[]
        {
            ("AVX2", Avx2.IsSupported), ("FMA", Fma.IsSupported), ("AVX-VNNI", AvxVnni.IsSupported), ("AVX-512", Avx512BW.IsSupported),
            ("AVX10.1", Avx10v1.IsSupported), ("AVX10.2", Avx10v2.IsSupported),
            ("AdvSimd", AdvSimd.IsSupported), ("Dp", Dp.IsSupported),
        };
        return known.Any(e => e.IsThere) ? known.Where(e => e.IsThere).Select(e => e.Name) : ["none"];
    }
}
