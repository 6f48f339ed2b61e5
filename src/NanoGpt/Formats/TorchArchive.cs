// A file of torch.save: a zip with a pickle of the structure and one entry for each storage, which stay where they lie.
// Knows no checkpoint: what the pickle means is for its callers.

using NanoGpt.IO;

namespace NanoGpt.Formats;

/// <summary>An open .pt or .bin file. Reading is safe from several threads; disposing is not.</summary>
internal sealed unsafe class TorchArchive : IDisposable
{
    private readonly byte* _start;
    private readonly MappedFile? _file;
    private readonly Dictionary<string, (long Offset, long Length)> _entries;
    private readonly string _root;

    private TorchArchive(byte* start, long length, string path, MappedFile? file)
    {
        _start = start;
        _file = file;
        Path = path;
        if (!StoredZip.IsZip(start, length)) throw new ModelFormatException($"{path} is not a file of torch.save. {Guess(start, length)}");
        _entries = StoredZip.Read(start, length, path);
        _root = FindRoot();
        if (_entries.TryGetValue(_root + "byteorder", out var order) && !Bytes(order).SequenceEqual("little"u8))
            throw new ModelFormatException($"{path} was saved on a big-endian machine, which is not supported. Save it again on another.");
        Value = PickleReader.Read(Bytes(_entries[_root + "data.pkl"]), path);
    }

    public string Path { get; }

    /// <summary>What was saved: see PickleValues.cs.</summary>
    public object? Value { get; }

    /// <summary>Maps a file and reads its structure; no tensor is touched.</summary>
    /// <exception cref="ModelFormatException">It is missing, broken, or holds something other than containers and tensors.</exception>
    public static TorchArchive Open(string path)
    {
        var file = MappedFile.Open(path);
        try
        {
            return new TorchArchive(file.Start, file.Length, path, file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>The same of bytes in memory, which must stay where they are.</summary>
    public static TorchArchive Read(byte* start, long length, string path) => new(start, length, path, null);

    /// <summary>Finds the bytes of a tensor and proves that they are all there.</summary>
    /// <param name="name">Its name in the checkpoint.</param>
    /// <param name="tensor">A tensor of <see cref="Value"/>.</param>
    public StoredTensor Locate(string name, PickleTensor tensor)
    {
        var storage = tensor.Storage;
        if (!_entries.TryGetValue(_root + "data/" + storage.Key, out var entry)) throw Fault(name, $"lies in storage {UntrustedText.Quote(storage.Key)}, which is not in the file");
        var size = storage.Type.Bits() / 8;
        if (storage.Count > entry.Length / size)
            throw Fault(name, $"lies in a storage of {storage.Count} elements, of which {entry.Length / size} are there");
        if (tensor.Shape.Length != tensor.Strides.Length) throw Fault(name, "has as many strides as no tensor of its shape has");

        var isTransposed = !HasStrides(tensor, swapped: false);
        if (isTransposed && !(tensor.Shape.Length == 2 && HasStrides(tensor, swapped: true)))
            throw Fault(name, $"is a view with strides [{string.Join(", ", tensor.Strides)}] that is neither contiguous nor transposed: save it with .contiguous()");
        var count = 1L;
        foreach (var length in tensor.Shape)
        {
            if (length != 0 && count > storage.Count / length) throw Fault(name, "is larger than its storage");
            count *= length;
        }

        if (tensor.Offset < 0 || tensor.Offset > storage.Count - count) throw Fault(name, "reaches beyond its storage");
        return new StoredTensor(name, storage.Type, tensor.Shape, _start + entry.Offset + tensor.Offset * size, isTransposed, _file);
    }

    public void Dispose() => _file?.Dispose();

    /// <summary>Whether neighbours along each dimension lie as in contiguous memory, in the order of the dimensions or with two swapped.</summary>
    private static bool HasStrides(PickleTensor tensor, bool swapped)
    {
        var expected = 1L;
        for (var i = tensor.Shape.Length - 1; i >= 0; i--)
        {
            var dimension = swapped ? tensor.Shape.Length - 1 - i : i;
            if (tensor.Shape[dimension] != 1 && tensor.Strides[dimension] != expected) return false;
            if (tensor.Shape[dimension] > long.MaxValue / Math.Max(1, expected)) return false;
            expected *= Math.Max(1, tensor.Shape[dimension]);
        }

        return true;
    }

    /// <summary>The folder in the zip that everything lies in; its name is that of the file when it was saved.</summary>
    private string FindRoot()
    {
        const string Pickle = "data.pkl";
        var roots = _entries.Keys.Where(name => name.EndsWith('/' + Pickle, StringComparison.Ordinal) && name.Count(c => c == '/') == 1).ToList();
        return roots.Count == 1 ? roots[0][..^Pickle.Length]
            : throw new ModelFormatException($"{Path} has {roots.Count} entries data.pkl instead of one. It was not written by torch.save.");
    }

    private ReadOnlySpan<byte> Bytes((long Offset, long Length) entry) =>
        new(_start + entry.Offset, (int)Math.Min(entry.Length, PickleReader.MaxLength + 1));

    private ModelFormatException Fault(string name, string what) => new($"{Path}: tensor {UntrustedText.Quote(name)} {what}.");

    private static string Guess(byte* start, long length)
    {
        var head = new ReadOnlySpan<byte>(start, (int)Math.Min(length, 64));
        if (head.StartsWith("version https://git-lfs"u8)) return "It is a Git LFS pointer: fetch the file itself with 'git lfs pull'.";
        if (head.Length > 2 && head[0] == 0x80 && head[1] <= 5)
            return "It is a bare pickle, perhaps of PyTorch before 1.6: load it there and save it again with a newer version.";
        return length == 0 ? "It is empty." : "It is cut off, or something else under this name.";
    }
}
