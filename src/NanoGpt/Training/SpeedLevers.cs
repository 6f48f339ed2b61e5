// Sets up a network and this process for one run's way of computing, and puts everything back after it.

using TorchSharp;
using static TorchSharp.torch;

namespace NanoGpt.Training;

/// <summary>What one run has switched on.</summary>
internal sealed class SpeedLevers : IDisposable
{
    private const double TooSlow = 1.5; // below it bfloat16 is worth its half of the memory

    private readonly GPTModel _network;
    private readonly (ScalarType? ProductType, bool RecomputesBlocks) _before;
    private readonly GlibcHeap? _heap;
    private readonly OneDnnProducts? _oneDnn;

    private SpeedLevers(GPTModel network, TrainerOptions options, Device device, ScalarType? productType, bool? wasManaged, bool? wasOneDnn)
    {
        _network = network;
        _before = (network.ProductType, network.RecomputesBlocks);
        network.ProductType = productType;
        network.RecomputesBlocks = options.GradientCheckpointing;
        try
        {
            var isCpu = device.type == DeviceType.CPU;
            var rows = (long)options.BatchSize * options.BlockSize!.Value;
            if (isCpu && options.Speed.OneDnnProducts && productType is null) _oneDnn = ChooseOneDnn(wasOneDnn, rows, network.Config.NEmbd);
            if (ManagedPass.Fits(network.Config, options) && ManagedPass.Fits(network) && (wasManaged ?? !ManagedPass.IsSlower(rows, network.Config.NEmbd)))
            {
                _oneDnn?.Dispose(); // it has been measured against
                _oneDnn = null;
                Pass = new ManagedPass(network, options);
                return;
            }

            if (isCpu && options.Speed.KeepMemory) _heap = GlibcHeap.Keep();
            Pass = new AutogradPass(network, options, device);
        }
        catch
        {
            PutBack();
            throw;
        }
    }

    /// <summary>How loss and gradients are computed.</summary>
    public IGradientPass Pass { get; }

    /// <summary>Switches on what the options ask for and the machine is better with.</summary>
    /// <param name="network">The network to train.</param>
    /// <param name="device">Where it is.</param>
    /// <param name="options">With their nulls filled in.</param>
    /// <param name="before">
    /// What an interrupted run has used: to be the same to the bit the rest of it must too, whatever a measurement would say
    /// today. Null for a run that begins.
    /// </param>
    /// <param name="warn">Told what is not done as asked.</param>
    public static SpeedLevers Apply(GPTModel network, Device device, TrainerOptions options, TrainerState? before, Action<string> warn) =>
        new(network, options, device, ProductTypeFor(options.Dtype, device, warn), before?.UsesManagedPass, before?.UsesOneDnn);

    /// <summary>Whether gradients are computed without autograd.</summary>
    public bool UsesManagedPass => Pass is ManagedPass;

    /// <summary>Whether products go through oneDNN.</summary>
    public bool UsesOneDnn => _oneDnn is not null;

    public void Dispose()
    {
        Pass.Dispose();
        PutBack();
    }

    private void PutBack()
    {
        (_network.ProductType, _network.RecomputesBlocks) = _before;
        _oneDnn?.Dispose();
        _heap?.Dispose();
    }

    private static OneDnnProducts? ChooseOneDnn(bool? before, long rows, long width) => before switch
    {
        true => OneDnnProducts.Use(),
        false => null,
        _ => OneDnnProducts.UseWhereBetter(rows, width),
    };

    private static ScalarType? ProductTypeFor(Dtype? dtype, Device device, Action<string> warn)
    {
        if (dtype == Dtype.Float16) return ScalarType.Float16;
        if (dtype != Dtype.BFloat16) return null;
        if (BFloat16Products.Slowdown(device) is var slowdown and > TooSlow)
        {
            warn(FormattableString.Invariant($"dtype bfloat16 is {slowdown:F0} times as slow as float32 on this processor: computing in float32, which is also more exact"));
            return null;
        }

        return ScalarType.BFloat16;
    }
}
