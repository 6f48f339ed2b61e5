// Between GPTWeights and the torch network: fills the network's parameters from any source of weights, and shows the
// parameters as a source of weights, so that engine and files never meet torch.

using NanoGpt.Formats;
using static TorchSharp.torch;

namespace NanoGpt;

/// <summary>Copies weights into a <see cref="GPTModel"/>, and out of one.</summary>
internal static unsafe class TorchWeights
{
    /// <summary>Overwrites every parameter of <paramref name="network"/>, whatever device it lives on.</summary>
    public static void CopyInto(GPTModel network, GPTWeights weights)
    {
        using var _ = no_grad();
        foreach (var (name, parameter) in network.named_parameters())
        {
            var weight = weights[name];
            if (parameter.device_type == TorchSharp.DeviceType.CPU && parameter.dtype == float32)
            {
                weight.CopyTo(Float32Pointer(parameter));
                weight.Release();
                continue;
            }

            using var staging = empty(parameter.shape, float32);
            weight.CopyTo(Float32Pointer(staging));
            parameter.copy_(staging);
            weight.Release();
        }
    }

    /// <summary>The parameters as they are at this moment and, on the CPU, as they go on changing: no copy is made there.</summary>
    /// <returns>Valid until it or the network is disposed.</returns>
    public static GPTWeights View(GPTModel network)
    {
        var copies = new TensorOwner();
        var tensors = new Dictionary<string, WeightTensor>();
        foreach (var (name, parameter) in network.named_parameters())
        {
            Tensor tensor = parameter;
            if (tensor.device_type != TorchSharp.DeviceType.CPU || tensor.dtype != float32 || !tensor.is_contiguous())
                tensor = copies.Keep(parameter.detach().to(float32).cpu().contiguous().DetachFromDisposeScope());
            tensors[name] = new WeightTensor(name, TensorType.F32, tensor.shape, isInOut: false, (byte*)Float32Pointer(tensor));
        }

        return new GPTWeights(network.Config, tensors, copies);
    }

    /// <summary>A number that changes when any parameter does, by an optimizer or by hand.</summary>
    public static ulong Fingerprint(GPTModel network)
    {
        using var view = View(network);
        return WeightFingerprint.Of(view);
    }

    /// <summary>The first value of a contiguous float32 tensor on the CPU.</summary>
    private static float* Float32Pointer(Tensor tensor)
    {
        fixed (byte* first = tensor.bytes) return (float*)first; // native memory: it doesn't move
    }

    private sealed class TensorOwner : IDisposable
    {
        private readonly List<Tensor> _tensors = [];

        public Tensor Keep(Tensor tensor)
        {
            _tensors.Add(tensor);
            return tensor;
        }

        public void Dispose() => _tensors.ForEach(tensor => tensor.Dispose());
    }
}
