// .pt files: the zip as bytes, the pickle as bytes and as opcodes inside a zip that is whole, and bare pickles of meta.pkl.

using System.Text;
using NanoGpt.Formats;

namespace NanoGpt.Fuzz;

internal sealed unsafe class CheckpointTarget : FuzzTarget
{
    private const int MaxGrowth = 1 << 17;

    /// <summary>Opcodes with arguments, whole values, and the things that attackers write.</summary>
    private static readonly string[] Snippets =
    [
        "(", ")", "t", "]", "}", "N", "\x88", "\x89", "a", "e", "s", "u", "R", "b", "Q", ".", "0", "1", "2", "\x85", "\x86", "\x87", "\x81", "\x92", "\x93", "\x94",
        "K\0", "K\x01", "K\xff", "M\xff\xff", "J\xff\xff\xff\xff", "J\xff\xff\xff\x7f", "\x8a\0", "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f",
        "\x8a\x08\0\0\0\0\0\0\0\x80", "\x8a\xff", "G\x7f\xf0\0\0\0\0\0\0", "X\x01\0\0\0a", "X\xff\xff\xff\x7f", "\x8c\x01a", "\x8d\0\0\0\0\0\0\0\0",
        "h\0", "h\x04", "h\x05", "h\x06", "h\x0c", "q\0", "q\x04", "r\xff\xff\xff\xff", "j\xff\xff\xff\xff", "\x95\xff\xff\xff\xff\xff\xff\xff\xff", "\x80\x05",
        "ctorch\nFloatStorage\n", "ctorch\nHalfStorage\n", "ctorch._utils\n_rebuild_tensor_v2\n", "ccollections\nOrderedDict\n", "cos\nsystem\n",
        "c__builtin__\neval\n", "cbuiltins\ngetattr\n", "cnumpy.core.multiarray\nscalar\n", "X\x07\0\0\0storage", "ccollections\nOrderedDict\n)R",
        "((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x08tQ", "K\0K\x08\x85K\x01\x85\x89h\x0c)RtR",
    ];

    private readonly List<byte[]> archives = Seeds("bad/ckpt", "*.pt");
    private readonly List<byte[]> metas = Seeds("meta", "*.pkl");
    private readonly List<Dictionary<string, byte[]>> unpacked = [];
    private readonly Dictionary<string, byte[]> withOptimizer;

    public CheckpointTarget()
    {
        var large = Seeds("train", "nanogpt-ckpt-compiled.pt")[0];
        fixed (byte* start = large) withOptimizer = TryUnpack(start, large)!;
        foreach (var archive in archives)
        {
            fixed (byte* start = archive)
            {
                if (TryUnpack(start, archive) is { } entries && entries.Keys.Any(IsPickle)) unpacked.Add(entries);
            }
        }
    }

    /// <summary>The tensors stay in the file; this is the structure of the largest pickle that is read.</summary>
    public override long MaxAllocation => 16 << 20;

    public override byte[] Make(Random random) => random.Next(10) switch
    {
        0 or 1 => [1, .. MutatePickle(Mutator.Pick(metas, random), random)],
        2 or 3 => [0, .. Mutator.Bytes(Mutator.Pick(archives, random), random, Mutator.Pick(archives, random))],
        _ => [0, .. MutateEntry(random.Next(20) == 0 ? withOptimizer : Mutator.Pick(unpacked, random), random)],
    };

    public override void Read(byte[] input)
    {
        if (input[0] == 1)
        {
            Require(NanoGptMeta.Read(input.AsSpan(1), "fuzz").Characters.All(character => character.Length > 0), "an id has no character");
            return;
        }

        fixed (byte* start = input)
        {
            using var checkpoint = NanoGptCheckpoint.Read(start + 1, input.Length - 1, "fuzz");
            foreach (var tensor in checkpoint.Weights.Tensors.Values) Touch(tensor, start, input.Length);
            foreach (var moments in checkpoint.Optimizer?.Moments.Values ?? [])
            {
                Touch(moments.ExpAvg, start, input.Length);
                Touch(moments.ExpAvgSq, start, input.Length);
            }
        }
    }

    private static void Touch(WeightTensor tensor, byte* start, long length)
    {
        Require(tensor.Data >= start && tensor.ByteCount <= length - (tensor.Data - start), $"{tensor.Name} lies outside the file");
        tensor.ReadElement(0);
        tensor.ReadElement(tensor.ElementCount - 1);
    }

    /// <summary>A whole zip with one of its entries changed; mostly the pickle.</summary>
    private static byte[] MutateEntry(Dictionary<string, byte[]> entries, Random random)
    {
        var pickle = entries.Keys.First(IsPickle);
        var changed = random.Next(8) == 0 ? Mutator.Pick([.. entries.Keys], random) : pickle;
        using var stream = new MemoryStream();
        var zip = new StoredZipWriter(stream);
        foreach (var (name, content) in entries)
        {
            if (name == changed && name != pickle && random.Next(3) == 0) continue; // an entry that is missing
            var bytes = name != changed ? content : name == pickle ? MutatePickle(content, random) : Mutator.Bytes(content, random, content);
            zip.Add(name, bytes.Length, entry => entry.Write(bytes));
        }

        zip.Finish();
        return stream.ToArray();
    }

    private static bool IsPickle(string name) => name.EndsWith("data.pkl", StringComparison.Ordinal);

    private static byte[] MutatePickle(byte[] pickle, Random random)
    {
        if (random.Next(4) == 0) return Mutator.Bytes(pickle, random, pickle);
        var bytes = new List<byte>(pickle);
        for (var changes = Mutator.Count(random, 4); changes > 0; changes--)
        {
            var at = random.Next(bytes.Count + 1);
            var snippet = Mutator.Pick(Snippets, random);
            var repeats = random.Next(200) == 0 ? 20_000 : random.Next(10) == 0 ? 50 : 1;
            if (random.Next(2) == 0) bytes.RemoveRange(at, Math.Min(random.Next(16), bytes.Count - at));
            var grown = string.Concat(Enumerable.Repeat(snippet, Math.Min(repeats, MaxGrowth / snippet.Length)));
            bytes.InsertRange(at, Encoding.Latin1.GetBytes(grown));
        }

        return [.. bytes];
    }

    private static Dictionary<string, byte[]>? TryUnpack(byte* start, byte[] archive)
    {
        try
        {
            return StoredZip.Read(start, archive.Length, "seed")
                .ToDictionary(entry => entry.Key, entry => archive.AsSpan((int)entry.Value.Offset, (int)entry.Value.Length).ToArray());
        }
        catch (ModelFormatException)
        {
            return null; // A seed that is no whole zip: it is mutated as bytes.
        }
    }
}
