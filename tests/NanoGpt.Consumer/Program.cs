// Runs the code of README and docs as it stands there: each region is an example, and a test compares the two to the letter.
// Arguments name what to run: an example, or a group of them; without arguments, all.

using System.Runtime.InteropServices;
using NanoGpt.Consumer;

var examples = new (string Group, string Name, Func<Task> Run)[]
{
    ("", "runtime", Wrap(() => Console.WriteLine(RuntimeInformation.FrameworkDescription))),
    ("using readme", "four lines", Wrap(ReadmeExamples.FourLines)),
    ("using", "progress of a download", HubExamples.Progress),
    ("using", "chat", ReadmeExamples.Chat),
    ("using", "services", Wrap(ReadmeExamples.Services)),
    ("using", "streaming", GenerationExamples.Streaming),
    ("using", "sampling", Wrap(GenerationExamples.Sampling)),
    ("using", "results", Wrap(GenerationExamples.Results)),
    ("using", "score", Wrap(GenerationExamples.Score)),
    ("using", "small and fast", Wrap(GenerationExamples.SmallAndFast)),
    ("using", "chat client", ChatExamples.Client),
    ("using", "template", ChatExamples.Template),
    ("using", "conversation", ChatExamples.Talk),
    ("using", "embeddings", ChatExamples.Embeddings),
    ("using", "container", ChatExamples.Container),
    ("using", "shapes", Wrap(WalkthroughExamples.Shapes)),
    ("using", "errors", Wrap(GettingStartedExamples.Errors)),
    ("using", "your own text", Wrap(TrainingExamples.YourOwnText)),
    ("training readme", "fine-tune", Wrap(ReadmeExamples.FineTune)),
    ("training", "progress", TrainingExamples.Progress),
    ("training", "resume", Wrap(TrainingExamples.Resume)),
    ("training", "from scratch", Wrap(TrainingExamples.FromScratch)),
    ("hub", "download", HubExamples.Download),
    ("hub", "cache", HubExamples.Cache),
    ("hub", "upload", HubExamples.Upload),
};

foreach (var (group, name, run) in examples.Where(e => args.Length == 0 || args.Contains(e.Name) || args.Intersect(e.Group.Split(' ')).Any()))
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
