// The whole story in a minute and without a network: load, generate, fine-tune, plot, save, reload, generate again. Says at
// each step which call of the library it makes; README's code is these calls.

using System.Diagnostics;
using NanoGpt.Data;
using NanoGpt.Samples.Plots;
using NanoGpt.Samples.Terminal;

namespace NanoGpt.Samples.Commands;

internal sealed record QuickstartOptions
{
    /// <summary>The model to start from; by default the one that comes with this program, trained on Shakespeare.</summary>
    public string? Model { get; init; }

    /// <summary>The text to fine-tune on; by default a short book that comes with this program.</summary>
    public string? Text { get; init; }

    /// <summary>Where the plot and the fine-tuned model go.</summary>
    public string OutDir { get; init; } = "out/quickstart";

    /// <summary>Steps of fine-tuning.</summary>
    public int MaxIters { get; init; } = 120;

    /// <summary>What both samples start with.</summary>
    public string Start { get; init; } = "\nThe first night.\n";
}

internal sealed class QuickstartCommand : Command<QuickstartOptions>
{
    public override string Name => "quickstart";

    public override string Summary => "load, fine-tune, plot and sample, offline and in a minute";

    public override IReadOnlyList<string> Examples => ["quickstart", "quickstart --text=my-book.txt --max_iters=500"];

    protected override async Task RunAsync(QuickstartOptions options, Session session)
    {
        var screen = session.Output;
        var steps = new Steps(screen);
        var folder = Path.Combine(options.OutDir, "model");

        steps.Say("GPT.FromPretrained(\"BundledModel\")", "a small GPT that has read Shakespeare, letter by letter");
        using var gpt = GPT.FromPretrained(options.Model ?? Bundled("BundledModel"));
        screen.Line($"{Figures.Short(gpt.Config.CountParameters())} parameters, {gpt.Config.NLayer} layers, {gpt.Tokenizer.VocabSize} characters");

        steps.Say("gpt.Generate(start, options)", "what it writes before it has seen our text");
        WriteSample(gpt, options, session);

        steps.Say("TokenDataset.FromText(\"saltmarrow.txt\", gpt.Tokenizer)", "another text: the log of a lighthouse");
        using var data = TokenDataset.FromText(options.Text ?? Bundled("Texts/saltmarrow.txt"), gpt.Tokenizer);
        screen.Line($"{Figures.Count(data.Train.Count)} characters to learn from, {Figures.Count(data.Val.Count)} to be tested on");

        steps.Say("new Trainer(gpt, options).Train(data, progress)", "fine-tuning");
        var view = new TrainingView(screen, session.Status, isLive: screen.IsTerminal);
        var trainer = new Trainer(gpt, FineTuning(options));
        var result = await trainer.TrainAsync(data, view, session.Stop.Token);
        session.Stop.Token.ThrowIfCancellationRequested();

        steps.Say("result.Evaluations", "the loss, here and as a picture");
        TerminalPlot.Write(screen, view.Curves, Math.Min(screen.Width, 100), height: 12);
        var picture = Path.Combine(options.OutDir, "loss.svg");
        RunReport.Write(picture, options.OutDir);
        var (before, after) = (result.Evaluations[0], result.Evaluations[^1]);
        screen.Line(FormattableString.Invariant($"validation loss {before.ValLoss:0.000} before, {after.ValLoss:0.000} after {after.Iteration} steps; picture: {picture}"));

        steps.Say($"gpt.SavePretrained(\"{folder}\")", "a folder that transformers opens too");
        gpt.SavePretrained(folder);

        steps.Say($"GPT.FromPretrained(\"{folder}\")", "and back again");
        using var tuned = GPT.FromPretrained(folder);

        steps.Say("tuned.Generate(start, options)", "the same start, after fine-tuning");
        WriteSample(tuned, options, session);

        screen.Line();
        screen.Line($"Done in {Figures.Duration(steps.Elapsed)}. Next: nanogpt sample --init_from={folder} --start=\"The gale\"");
    }

    private static string Bundled(string name) => Path.Combine(AppContext.BaseDirectory, name);

    private static TrainerOptions FineTuning(QuickstartOptions options) => new()
    {
        OutDir = options.OutDir,
        MaxIters = options.MaxIters,
        BatchSize = 12,
        LearningRate = 3e-4,
        WarmupIters = 20,
        EvalInterval = Math.Max(1, options.MaxIters / 6),
        EvalIters = 10,
        LogInterval = 10,
        MaxSeconds = 60,
    };

    private static void WriteSample(GPT gpt, QuickstartOptions options, Session session)
    {
        var screen = session.Output;
        var settings = new GenerationOptions { MaxNewTokens = 300, Temperature = 0.8, TopK = 200, Seed = 1337 };
        screen.Write(screen.Paint(Ink.Dim, options.Start.TrimStart('\n')));
        foreach (var piece in gpt.GenerateStreaming(options.Start, settings, session.Stop.Token)) screen.Write(piece);
        screen.Line();
    }

    /// <summary>Numbers the steps and shows the call of each.</summary>
    private sealed class Steps(Screen screen)
    {
        private readonly long started = Stopwatch.GetTimestamp();
        private int count;

        public TimeSpan Elapsed => Stopwatch.GetElapsedTime(started);

        public void Say(string call, string what)
        {
            if (count > 0) screen.Line();
            screen.Line($"{screen.Paint(Ink.Bold, $"{++count}. {what}")}   {screen.Paint(Ink.Cyan, call)}");
        }
    }
}
