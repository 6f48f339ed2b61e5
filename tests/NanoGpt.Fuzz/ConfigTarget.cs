// config.json and model.safetensors.index.json: small JSON files that decide what is built and which files are opened.

using System.Text;
using NanoGpt.Formats;
using NanoGpt.IO;

namespace NanoGpt.Fuzz;

internal sealed class ConfigTarget : FuzzTarget
{
    private readonly List<byte[]> configs = Seeds("bad/config", "*.json");

    private readonly List<byte[]> indexes =
    [
        .. Seeds("bad/model-dir/ok-sharded", "*.index.json"), .. Seeds("bad/model-dir/ok-sharded-no-metadata", "*.index.json"),
        .. Seeds("bad/model-dir/index-number", "*.index.json"),
    ];

    public override long MaxAllocation => 10 << 20;

    public override byte[] Make(Random random)
    {
        var isIndex = random.Next(3) == 0;
        var seed = Mutator.Pick(isIndex ? indexes : configs, random);
        var json = random.Next(5) == 0 ? Mutator.Bytes(seed, random, Mutator.Pick(configs, random)) : Mutator.Json(Encoding.UTF8.GetString(seed), random);
        return [(byte)(isIndex ? 1 : 0), .. json];
    }

    public override void Read(byte[] input)
    {
        var json = input.AsSpan(1);
        if (input[0] == 1)
        {
            foreach (var file in ShardIndex.Read(json, "fuzz").Values) Require(FileNames.IsPlain(file), $"names the file {file}");
            return;
        }

        var config = ConfigJson.Read(json, "fuzz");
        Require(!config.Faults().Any(), "the config is not valid");
        var again = ConfigJson.Read(Encoding.UTF8.GetBytes(ConfigJson.Write(config, TensorType.F32)), "again");
        Require(again == config, "the config does not survive being written");
    }
}
