// A safetensors file mapped into memory: tensors are pointers into it, nothing is copied. Knows no GPT.

using NanoGpt.IO;

namespace NanoGpt.Formats;

/// <summary>An open safetensors file whose header is valid. Reading is safe from several threads; disposing is not.</summary>
internal sealed unsafe class SafetensorsFile : ITensorFile
{
    private readonly SafetensorsHeader _header;

    private SafetensorsFile(MappedFile file, SafetensorsHeader header)
    {
        File = file;
        _header = header;
        Stored = header.Tensors.Values.ToDictionary(tensor => tensor.Name, tensor => new StoredTensor(tensor.Name, tensor.Type, tensor.Shape, Data(tensor), file: file));
    }

    public MappedFile File { get; }

    public IReadOnlyDictionary<string, TensorInfo> Tensors => _header.Tensors;

    public IReadOnlyDictionary<string, StoredTensor> Stored { get; }

    public IReadOnlyDictionary<string, string> Metadata => _header.Metadata;

    /// <summary>Maps a file and checks its header against its length.</summary>
    /// <exception cref="ModelFormatException">There is no such file, or it is not a valid safetensors file.</exception>
    public static SafetensorsFile Open(string path)
    {
        var file = MappedFile.Open(path);
        try
        {
            return new SafetensorsFile(file, SafetensorsHeader.Read(file.Head(sizeof(ulong) + SafetensorsHeader.MaxLength), file.Length, path));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>The first byte of a tensor of this file. Not necessarily aligned.</summary>
    public byte* Data(TensorInfo tensor) => File.Start + _header.DataStart + tensor.Begin;

    /// <summary>The bytes of a tensor of this file, which must be below 2 GB.</summary>
    public ReadOnlySpan<byte> Bytes(string name)
    {
        var tensor = Tensors[name];
        return new ReadOnlySpan<byte>(Data(tensor), checked((int)(tensor.End - tensor.Begin)));
    }

    public void Dispose() => File.Dispose();
}
