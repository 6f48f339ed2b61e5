// A listener to training that remembers.

namespace NanoGpt.Tests.Training;

/// <summary>Collects progress of some kinds, on the thread that reports it; all kinds where none is named.</summary>
internal sealed class Listener(List<TrainingProgress> into, params TrainingEvent[] kinds) : IProgress<TrainingProgress>
{
    public void Report(TrainingProgress value)
    {
        if (kinds.Length == 0 || kinds.Contains(value.Event)) into.Add(value);
    }
}
