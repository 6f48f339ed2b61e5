// Figures in the docs that follow from parameter counts are computed here again.

using System.Globalization;
using NanoGpt.EndToEnd.Package;

namespace NanoGpt.EndToEnd.Docs;

public sealed class TableTests
{
    private const double GB = 1e9;

    [Theory]
    [InlineData("distilgpt2", nameof(GPTConfig.DistilGpt2))]
    [InlineData("gpt2", nameof(GPTConfig.Gpt2))]
    [InlineData("gpt2-medium", nameof(GPTConfig.Gpt2Medium))]
    [InlineData("gpt2-large", nameof(GPTConfig.Gpt2Large))]
    [InlineData("gpt2-xl", nameof(GPTConfig.Gpt2XL))]
    public void Memory_in_README_follows_from_the_parameters(string id, string preset)
    {
        var config = (GPTConfig)typeof(GPTConfig).GetProperty(preset)!.GetValue(null)!;
        var count = config.CountParameters();
        var cache = 2L * config.NLayer * config.NEmbd * sizeof(float) * config.BlockSize; // keys and values of a full context
        var row = string.Create(CultureInfo.InvariantCulture,
            $"| `{id}` | {Math.Round(count / 1e6)} M | {4 * count / GB:0.00} GB | {2 * count / GB:0.00} GB | {count / GB:0.00} GB | {cache / GB:0.00} GB | {16 * count / GB:0.0} GB |");
        Assert.Contains(row, File.ReadAllLines(Repository.File("README.md")));
    }
}
