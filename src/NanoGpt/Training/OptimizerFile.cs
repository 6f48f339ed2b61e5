// AdamW's state as a safetensors file: exp_avg.NAME and exp_avg_sq.NAME for each parameter, in the network's layout, and
// the step count in the header's metadata.

using System.Globalization;
using NanoGpt.Formats;
using static TorchSharp.torch;

namespace NanoGpt.Training;

/// <summary>Writes and reads <c>optimizer.safetensors</c>.</summary>
internal static unsafe class OptimizerFile
{
    public const string FileName = "optimizer.safetensors";

    private const string Mean = "exp_avg.";
    private const string Square = "exp_avg_sq.";
    private const string Step = "step";

    public static void Write(string path, AdamWState state)
    {
        var tensors = state.Moments.SelectMany(m => new[] { ToWrite(Mean + m.Name, m.ExpAvg), ToWrite(Square + m.Name, m.ExpAvgSq) });
        var metadata = new Dictionary<string, string> { ["format"] = "pt", [Step] = state.Step.ToString(CultureInfo.InvariantCulture) };
        SafetensorsWriter.Write(path, tensors, metadata);
    }

    /// <summary>The state, in tensors of the caller's dispose scope.</summary>
    /// <exception cref="CheckpointException">The file is not what <see cref="Write"/> writes.</exception>
    public static AdamWState Read(string path)
    {
        using var file = SafetensorsFile.Open(path);
        if (!file.Metadata.TryGetValue(Step, out var text) || !long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var step))
            throw new CheckpointException($"{path}: the header's metadata has no step count. Is it the optimizer of a checkpoint?");

        var moments = file.Tensors.Keys.Where(name => name.StartsWith(Mean, StringComparison.Ordinal)).Select(name => name[Mean.Length..])
            .Select(name => new AdamWMoments(name, ToTensor(file, path, Mean + name), ToTensor(file, path, Square + name)));
        return new AdamWState(step, [.. moments]);
    }

    private static TensorToWrite ToWrite(string name, Tensor tensor) => new(name, TensorType.F32, tensor.shape, stream =>
    {
        using var scope = NewDisposeScope();
        stream.Write(tensor.to(float32).cpu().contiguous().bytes);
    });

    private static Tensor ToTensor(SafetensorsFile file, string path, string name)
    {
        if (!file.Tensors.TryGetValue(name, out var info) || info.Type != TensorType.F32)
            throw new CheckpointException($"{path}: there is no float32 tensor '{name}'. Is it the optimizer of a checkpoint?");
        var tensor = empty(info.Shape, float32);
        new ReadOnlySpan<byte>(file.Data(info), checked((int)(info.End - info.Begin))).CopyTo(tensor.bytes);
        return tensor;
    }
}
