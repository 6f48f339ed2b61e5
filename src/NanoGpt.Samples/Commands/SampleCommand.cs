// Text from a trained or published model, as nanoGPT's sample.py writes it.

using NanoGpt.Samples.CommandLine;

namespace NanoGpt.Samples.Commands;

internal sealed record SampleOptions
{
    public ModelOptions Source { get; init; } = new();

    /// <summary>What the text begins with; FILE:prompt.txt reads it from a file, \n is a new line.</summary>
    public string Start { get; init; } = "\n";

    /// <summary>How many texts.</summary>
    public int NumSamples { get; init; } = 10;

    [Without(nameof(GenerationOptions.ReturnSequences), nameof(GenerationOptions.LogProbabilities))]
    public GenerationOptions Generation { get; init; } = new() { MaxNewTokens = 500, Temperature = 0.8, TopK = 200, Seed = 1337 };
}

internal sealed class SampleCommand : Command<SampleOptions>
{
    private const string Separator = "---------------";

    public override string Name => "sample";

    public override string Summary => "text from a trained or published model";

    public override IReadOnlyList<string> Examples =>
    [
        "sample --out_dir=out --start=\"ROMEO:\"",
        "sample --init_from=gpt2 --start=\"Hello,\" --num_samples=3",
        "sample --init_from=my-model --start=FILE:prompt.txt --temperature=0",
    ];

    public override bool TakesConfigFiles => true;

    protected override async Task RunAsync(SampleOptions options, Session session)
    {
        if (options.NumSamples < 1) throw new UsageException($"--num_samples={options.NumSamples}: must be at least 1.");
        var start = ReadStart(options.Start);
        using var gpt = await options.Source.OpenAsync(session);
        CheckLength(start, gpt);
        options.Generation.Validate();

        for (var i = 0; i < options.NumSamples; i++)
        {
            var settings = options.Generation with { Seed = options.Generation.Seed + i };
            session.Output.Write(start);
            await foreach (var piece in Pieces(gpt, start, settings, session.Stop.Token)) session.Output.Write(piece);
            session.Output.Line();
            session.Output.Line(Separator);
        }
    }

    // Beams are known only when all of the text is; everything else is shown as it is made.
    private static IAsyncEnumerable<string> Pieces(GPT gpt, string start, GenerationOptions settings, CancellationToken stop) =>
        settings.Beams > 1 ? Whole(gpt.GenerateAsync(start, settings, stop)) : gpt.GenerateStreamingAsync(start, settings, stop);

    private static async IAsyncEnumerable<string> Whole(Task<string> text)
    {
        yield return await text;
    }

    private static string ReadStart(string start)
    {
        const string FilePrefix = "FILE:";
        var text = start.StartsWith(FilePrefix, StringComparison.Ordinal)
            ? File.ReadAllText(start[FilePrefix.Length..])
            : start.Replace("\\n", "\n", StringComparison.Ordinal); // as a shell passes what nanoGPT's config files write
        return text.Length > 0 ? text : throw new UsageException("the prompt is empty; --start=\"\\n\" is nanoGPT's beginning of a text.");
    }

    private static void CheckLength(string start, GPT gpt)
    {
        var length = gpt.Tokenizer.Encode(start, allowSpecial: true).Count;
        if (length > gpt.Config.BlockSize)
            throw new UsageException($"the prompt has {length} tokens, the model's context {gpt.Config.BlockSize}: shorten the prompt.");
    }
}
