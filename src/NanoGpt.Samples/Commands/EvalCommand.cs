// How well a model predicts a text: loss and perplexity, over a text file or a prepared .bin.

using System.Diagnostics;
using NanoGpt.Data;
using NanoGpt.Samples.CommandLine;
using NanoGpt.Samples.Terminal;

namespace NanoGpt.Samples.Commands;

internal sealed record EvalOptions
{
    /// <summary>A text file, or token ids that prepare wrote (val.bin).</summary>
    [Positional]
    public string File { get; init; } = "";

    public ModelOptions Source { get; init; } = new();

    /// <summary>How far the window slides: smaller gives each token more context and takes longer. Half the context if not given.</summary>
    public int? Stride { get; init; }

    /// <summary>Tokens to score, from the beginning; all if not given.</summary>
    public int? MaxTokens { get; init; }
}

internal sealed class EvalCommand : Command<EvalOptions>
{
    public override string Name => "eval";

    public override string Summary => "loss and perplexity of a text";

    public override IReadOnlyList<string> Examples => ["eval my-book.txt --init_from=gpt2", "eval data/shakespeare_char/val.bin --out_dir=out"];

    protected override async Task RunAsync(EvalOptions options, Session session)
    {
        if (options.File.Length == 0) throw Missing("which file?");
        if (Directory.Exists(options.File)) throw new UsageException($"{options.File} is a folder; eval reads a text file, or ids such as {Path.Combine(options.File, "val.bin")}.");
        using var gpt = await options.Source.OpenAsync(session);
        using var generator = new Generator(gpt);
        var ids = ReadIds(options.File, gpt);
        if (options.MaxTokens < ids.Count) ids = [.. ids.Take(options.MaxTokens.Value)];
        if (ids.Count < 2) throw new UsageException($"{options.File}: {ids.Count} token is too little to predict anything; give at least 2.");

        var watch = Stopwatch.StartNew();
        TextScore score;
        using (var bar = new ProgressBar(session.Status, "scoring", Figures.Count))
            score = generator.Score(ids, options.Stride, new Listener<int>(done => bar.Report(done, ids.Count)), session.Stop.Token);
        var screen = session.Output;
        screen.Line($"tokens      {Figures.Count(score.Count)}");
        screen.Line(FormattableString.Invariant($"loss        {score.Loss:0.0000}"));
        screen.Line(FormattableString.Invariant($"perplexity  {score.Perplexity:0.00}"));
        screen.Line(FormattableString.Invariant($"tokens/s    {score.Count / watch.Elapsed.TotalSeconds:0}"));
    }

    private static IReadOnlyList<int> ReadIds(string file, GPT gpt)
    {
        if (Path.GetExtension(file) != ".bin") return gpt.Tokenizer.Encode(System.IO.File.ReadAllText(file));
        using var bin = TokenFile.Open(file);
        var ids = new long[bin.Count];
        bin.CopyTo(0, ids);
        return Array.ConvertAll(ids, id => (int)id);
    }
}
