namespace NanoGpt.EndToEnd;

/// <summary>
/// Tests that train in this process and compare to the bit: dropout draws from torch's one generator, as the first weights of
/// any other test's model do. They run one after the other, and beside no others.
/// </summary>
[CollectionDefinition(nameof(TorchProcess), DisableParallelization = true)]
public sealed class TorchProcess;
