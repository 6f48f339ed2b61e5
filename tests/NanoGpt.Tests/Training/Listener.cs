// What tests of training use: a listener that remembers, and a folder that goes away.

namespace NanoGpt.Tests.Training;

/// <summary>Collects progress of some kinds, on the thread that reports it; all kinds where none is named.</summary>
internal sealed class Listener(List<TrainingProgress> into, params TrainingEvent[] kinds) : IProgress<TrainingProgress>
{
    public void Report(TrainingProgress value)
    {
        if (kinds.Length == 0 || kinds.Contains(value.Event)) into.Add(value);
    }
}

/// <summary>A folder for one test.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("nanogpt-test-").FullName;

    public string this[string name] => System.IO.Path.Combine(Path, name);

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
