// float32 matrix products through oneDNN instead of MKL, where that is faster and as exact. On processors with AVX-512,
// MKL takes a slower path on AMD, and oneDNN reaches twice its speed in full float32 if it is allowed (not forced) to round to
// bfloat16; on processors with AMX it would really round. So both are measured, once, and accuracy decides before speed.

using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.InteropServices;
using NanoGpt.Native;
using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace NanoGpt.Training;

/// <summary>Lets libtorch compute float32 products through oneDNN until disposed. Process-wide.</summary>
internal sealed unsafe class OneDnnProducts : IDisposable
{
    // at::Float32Backend::MKLDNN, at::Float32Op::MATMUL, at::Float32Precision::BF16 (ATen/Context.h).
    private const int OneDnn = 2, MatrixProduct = 3, MayRound = 3;
    private const string ContextName = "_ZN2at13globalContextEv",
        SetName = "_ZN2at7Context19setFloat32PrecisionENS_14Float32BackendENS_9Float32OpENS_16Float32PrecisionE",
        GetName = "_ZNK2at7Context16float32PrecisionENS_14Float32BackendENS_9Float32OpE";

    private static readonly ConcurrentDictionary<(long Rows, long Width), bool> Chosen = new();
    private readonly int _before;

    private OneDnnProducts() => _before = Exchange(MayRound);

    /// <summary>What the last measurement found, for the log; null before the first.</summary>
    public static string? Findings { get; private set; }

    /// <summary>Switches to oneDNN if it wins for products of this size; null where it does not, or cannot be asked.</summary>
    /// <param name="rows">Tokens in a micro batch.</param>
    /// <param name="width">n_embd.</param>
    public static OneDnnProducts? UseWhereBetter(long rows, long width) =>
        IsAvailable() && Chosen.GetOrAdd((rows, width), size => IsBetter(size.Rows, size.Width)) ? new OneDnnProducts() : null;

    /// <summary>Switches to oneDNN whether it is better or not; null where it cannot be asked.</summary>
    public static OneDnnProducts? Use() => IsAvailable() ? new OneDnnProducts() : null;

    public void Dispose() => Exchange(_before);

    private static bool IsAvailable() =>
        Libtorch.CpuLibrary() is var library and not 0
        && new[] { ContextName, SetName, GetName }.All(name => NativeLibrary.TryGetExport(library, name, out _));

    /// <summary>Runs the MLP's first product both ways: a few milliseconds for the sizes that a CPU trains.</summary>
    private static bool IsBetter(long rows, long width)
    {
        const int rounds = 3, checkedRows = 8;
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var generator = new torch.Generator(1); // the caller's random state stays as it is
        var x = randn(Math.Min(rows, 512), width, generator: generator);
        var weight = randn(Math.Min(4 * width, 4096), width, generator: generator);
        var exact = F.linear(x.narrow(0, 0, Math.Min(checkedRows, x.size(0))).to(float64), weight.to(float64));

        var (mkl, oneDnn) = (Product(x, weight), ProductByOneDnn(x, weight));
        if (mkl.Result.equal(oneDnn.Result).all().item<bool>()) return false; // the same kernel: nothing to choose
        var (mklTime, oneDnnTime) = (double.MaxValue, double.MaxValue);
        for (var i = 0; i < rounds; i++)
        {
            mklTime = Math.Min(mklTime, Product(x, weight).Seconds);
            oneDnnTime = Math.Min(oneDnnTime, ProductByOneDnn(x, weight).Seconds);
        }

        var (mklError, oneDnnError) = (Error(mkl.Result, exact), Error(oneDnn.Result, exact));
        Findings = FormattableString.Invariant(
            $"float32 products of {x.size(0)} x {width} x {weight.size(0)}: MKL {mklTime * 1e3:F1} ms, error {mklError:E1}; oneDNN {oneDnnTime * 1e3:F1} ms, error {oneDnnError:E1}");

        // Two ways to add the same numbers differ by rounding; bfloat16 would be ten thousand times as far off.
        return oneDnnError <= 3 * mklError && oneDnnTime < 0.9 * mklTime;
    }

    private static (Tensor Result, double Seconds) ProductByOneDnn(Tensor x, Tensor weight)
    {
        using var _ = new OneDnnProducts();
        return Product(x, weight);
    }

    private static (Tensor Result, double Seconds) Product(Tensor x, Tensor weight)
    {
        var start = Stopwatch.GetTimestamp();
        var result = F.linear(x, weight);
        return (result, Stopwatch.GetElapsedTime(start).TotalSeconds);
    }

    private static double Error(Tensor result, Tensor exact) =>
        ((result.narrow(0, 0, exact.size(0)).to(float64) - exact).norm() / exact.norm()).item<double>();

    private static int Exchange(int precision)
    {
        var library = Libtorch.CpuLibrary();
        var context = ((delegate* unmanaged<nint>)NativeLibrary.GetExport(library, ContextName))();
        var before = ((delegate* unmanaged<nint, int, int, int>)NativeLibrary.GetExport(library, GetName))(context, OneDnn, MatrixProduct);
        ((delegate* unmanaged<nint, int, int, int, void>)NativeLibrary.GetExport(library, SetName))(context, OneDnn, MatrixProduct, precision);
        return before;
    }
}
