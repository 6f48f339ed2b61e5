// Which ids of a .bin file a model is to learn to say: for instruction data the responses, not the prompts. One byte an id.

using NanoGpt.IO;

namespace NanoGpt.Data;

/// <summary>A mask beside a file of ids: 1 where the loss counts, 0 where it does not.</summary>
internal sealed unsafe class LossMask : IDisposable
{
    private readonly MappedFile _file;

    private LossMask(MappedFile file) => _file = file;

    /// <summary>The mask that belongs to <c>train.bin</c> is <c>train.mask</c>.</summary>
    public static string PathOf(string idsPath) => Path.ChangeExtension(idsPath, ".mask");

    /// <summary>The mask of a file of ids, or null where it has none.</summary>
    public static LossMask? TryOpen(TokenFile ids)
    {
        var path = PathOf(ids.Path);
        if (!File.Exists(path)) return null;
        var file = MappedFile.Open(path);
        if (file.Length == ids.Count) return new LossMask(file);
        file.Dispose();
        throw new ModelFormatException($"{path}: {file.Length} bytes for the {ids.Count} ids of {ids.Path}; expected one for each. Prepare the dataset again.");
    }

    /// <summary>Replaces by -1 the ids that are not to be learned.</summary>
    /// <param name="start">Position of the first of them in the file.</param>
    /// <param name="targets">The ids.</param>
    public void Apply(long start, Span<long> targets)
    {
        var mask = new ReadOnlySpan<byte>(_file.Start + start, targets.Length);
        for (var i = 0; i < mask.Length; i++)
        {
            if (mask[i] == 0) targets[i] = -1;
        }
    }

    public void Dispose() => _file.Dispose();
}
