// safetensors: the header, and the binding of its names to a model. Headers are changed as JSON with their length put
// right again, or as bytes.

using System.Buffers.Binary;
using System.Text;
using NanoGpt.Formats;

namespace NanoGpt.Fuzz;

internal sealed unsafe class SafetensorsTarget : FuzzTarget
{
    private const int MaxInput = 64 << 10;

    private readonly List<byte[]> seeds =
    [
        .. Seeds("bad/safetensors", "*.safetensors").Where(seed => seed.Length > 8),
        .. Seeds("bad/model-dir/ok", "*.safetensors"),
        .. Seeds("bad/model-dir/ok-mixed-prefix-buffers", "*.safetensors"),
    ];

    private readonly GPTConfig config = ConfigJson.ReadFile(Path.Combine(AppContext.BaseDirectory, "Vectors/bad/config/ok.json"));

    public override long MaxAllocation => 1 << 20;

    public override byte[] Make(Random random)
    {
        var seed = Mutator.Pick(seeds, random);
        if (random.Next(4) == 0) return Fit(Mutator.Bytes(seed, random, Mutator.Pick(seeds, random)));

        var length = (int)Math.Min(BinaryPrimitives.ReadUInt64LittleEndian(seed), (ulong)seed.Length - 8);
        var header = Mutator.Json(Encoding.UTF8.GetString(seed, 8, length), random);
        var input = new byte[8 + header.Length + seed.Length - 8 - length];
        var claimed = random.Next(20) == 0 ? random.NextInt64() >> random.Next(64) : header.Length;
        BinaryPrimitives.WriteInt64LittleEndian(input, claimed);
        header.CopyTo(input, 8);
        seed.AsSpan(8 + length).CopyTo(input.AsSpan(8 + header.Length));
        return Fit(input);
    }

    public override void Read(byte[] input)
    {
        var header = SafetensorsHeader.Read(input, input.Length, "fuzz");
        var sum = 0L;
        foreach (var tensor in header.Tensors.Values)
        {
            var begin = header.DataStart + tensor.Begin;
            Require(begin >= 8 && tensor.End >= tensor.Begin && header.DataStart + tensor.End <= input.Length, $"{tensor.Name} lies outside the file");
            var bits = tensor.Shape.Aggregate((long)tensor.Type.Bits(), (product, size) => checked(product * size));
            Require(bits == 8 * (tensor.End - tensor.Begin), $"{tensor.Name} has the wrong size");
            sum += tensor.End - tensor.Begin;
        }

        Require(header.DataStart + sum == input.Length, "the tensors are not the file");
        Bind(header, input);
    }

    /// <summary>The names, types and shapes against a model's config; what fits is read.</summary>
    private void Bind(SafetensorsHeader header, byte[] input)
    {
        fixed (byte* start = input)
        {
            var stored = new List<StoredTensor>();
            foreach (var tensor in header.Tensors.Values)
                stored.Add(new StoredTensor(tensor.Name, tensor.Type, tensor.Shape, start + header.DataStart + tensor.Begin));
            try
            {
                using var weights = new StateDict(config, "fuzz", "ok.json", isConv1D: true).Bind(stored, null);
                foreach (var tensor in weights.Tensors.Values)
                {
                    tensor.ReadElement(0);
                    tensor.ReadElement(tensor.ElementCount - 1);
                }
            }
            catch (ModelFormatException)
            {
                // A valid file, but not of this model.
            }
        }
    }

    private static byte[] Fit(byte[] input) => input.Length <= MaxInput ? input : input[..MaxInput];
}
