namespace NanoGpt.Tests;

/// <summary>
/// Tests of what torch has once in a process: its random numbers, which a model's first weights and dropout draw from, the
/// allocator's settings, oneDNN's switch. They run one after the other, and beside no others.
/// </summary>
[CollectionDefinition(nameof(TorchProcess), DisableParallelization = true)]
public sealed class TorchProcess;
