// Runs the code of README and docs as it stands there: each region is an example, and a test compares the two to the letter.
// The name of one example as argument runs that one.

using System.Runtime.InteropServices;
using NanoGpt.Consumer;

var examples = new (string Name, Func<Task> Run)[]
{
    ("runtime", Wrap(() => Console.WriteLine(RuntimeInformation.FrameworkDescription))),
    ("four lines", Wrap(ReadmeExamples.FourLines)),
    ("fine-tune", Wrap(ReadmeExamples.FineTune)),
    ("streaming", GenerationExamples.Streaming),
    ("sampling", Wrap(GenerationExamples.Sampling)),
    ("results", Wrap(GenerationExamples.Results)),
    ("score", Wrap(GenerationExamples.Score)),
    ("small and fast", Wrap(GenerationExamples.SmallAndFast)),
    ("progress", TrainingExamples.Progress),
    ("resume", Wrap(TrainingExamples.Resume)),
    ("from scratch", Wrap(TrainingExamples.FromScratch)),
    ("your own text", Wrap(TrainingExamples.YourOwnText)),
    ("download", HubExamples.Download),
    ("shapes", Wrap(WalkthroughExamples.Shapes)),
    ("errors", Wrap(GettingStartedExamples.Errors)),
};

foreach (var (name, run) in examples.Where(e => args.Length == 0 || args.Contains(e.Name)))
{
    Console.WriteLine($"== {name}");
    await run();
}

Console.WriteLine("== done");

static Func<Task> Wrap(Action action) => () =>
{
    action();
    return Task.CompletedTask;
};
