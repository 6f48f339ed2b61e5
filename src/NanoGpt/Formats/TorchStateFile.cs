// pytorch_model.bin: a torch.save of nothing but a state dict, as older Hugging Face repositories have it.

using NanoGpt.IO;

namespace NanoGpt.Formats;

/// <summary>An open state dict of torch.save.</summary>
internal sealed class TorchStateFile : ITensorFile
{
    public const string FileName = "pytorch_model.bin";
    public const string IndexFileName = "pytorch_model.bin.index.json";

    private readonly TorchArchive _archive;

    private TorchStateFile(TorchArchive archive)
    {
        _archive = archive;
        Stored = Tensors(archive, archive.Value, "The file").ToDictionary(tensor => tensor.Name);
    }

    public IReadOnlyDictionary<string, StoredTensor> Stored { get; }

    /// <exception cref="ModelFormatException">The file is missing, broken, or something other than a state dict.</exception>
    public static TorchStateFile Open(string path)
    {
        TorchArchive? archive = null;
        try
        {
            archive = TorchArchive.Open(path);
            return new TorchStateFile(archive);
        }
        catch (ModelFormatException e)
        {
            archive?.Dispose();
            throw new ModelFormatException($"{e.Message} A safetensors copy of the model is safer and faster; repositories often have one at revision refs/convert/safetensors.", e);
        }
    }

    /// <summary>Locates every tensor of a dict from names to tensors.</summary>
    public static IEnumerable<StoredTensor> Tensors(TorchArchive archive, object? dictionary, string what)
    {
        if (dictionary is not PickleDictionary state) throw new ModelFormatException($"{archive.Path}: {what} does not hold a dict of tensors.");
        foreach (var (key, value) in state)
        {
            if (key is not string name || value is not PickleTensor tensor)
                throw new ModelFormatException($"{archive.Path}: {what} holds {UntrustedText.Quote(key.ToString() ?? "")}, which is no tensor.");
            yield return archive.Locate(name, tensor);
        }
    }

    public void Dispose() => _archive.Dispose();
}
