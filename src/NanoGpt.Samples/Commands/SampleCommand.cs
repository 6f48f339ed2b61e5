// Text from a trained or published model, as nanoGPT's sample.py writes it.

using NanoGpt.Samples.CommandLine;

namespace NanoGpt.Samples.Commands;

internal sealed record SampleOptions
{
    public ModelOptions Source { get; init; } = new();

    /// <summary>What the text begins with; FILE:prompt.txt reads it from a file.</summary>
    public string Start { get; init; } = "\n";

    /// <summary>How many texts.</summary>
    public int NumSamples { get; init; } = 10;

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
        "sample --init_from=gpt2 --start=\"Hello,\" --num_samples=3 --max_new_tokens=60",
        "sample --init_from=my-model --start=FILE:prompt.txt --temperature=0",
    ];

    public override bool TakesConfigFiles => true;

    protected override async Task RunAsync(SampleOptions options, Session session)
    {
        var start = ReadStart(options.Start);
        using var gpt = await options.Source.OpenAsync(session);
        CheckLength(start, gpt);

        for (var i = 0; i < options.NumSamples; i++)
        {
            session.Output.Write(start);
            var settings = options.Generation with { Seed = options.Generation.Seed + i };
            await foreach (var piece in gpt.GenerateStreamingAsync(start, settings, session.Stop.Token)) session.Output.Write(piece);
            session.Output.Line();
            session.Output.Line(Separator);
        }
    }

    private static string ReadStart(string start)
    {
        const string FilePrefix = "FILE:";
        var text = start.StartsWith(FilePrefix, StringComparison.Ordinal) ? File.ReadAllText(start[FilePrefix.Length..]) : start;
        return text.Length > 0 ? text : throw new UsageException("the prompt is empty; --start=\"\\n\" is nanoGPT's beginning of a text.");
    }

    private static void CheckLength(string start, GPT gpt)
    {
        var length = gpt.Tokenizer.Encode(start, allowSpecial: true).Count;
        if (length > gpt.Config.BlockSize)
            throw new UsageException($"the prompt has {length} tokens, the model's context {gpt.Config.BlockSize}: shorten the prompt.");
    }
}
