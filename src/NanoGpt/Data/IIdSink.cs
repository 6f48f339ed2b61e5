// Where encoded ids go: a file (TokenFileWriter.cs) or memory.

namespace NanoGpt.Data;

/// <summary>Takes ids in their order.</summary>
internal interface IIdSink
{
    /// <summary>Number of ids taken.</summary>
    long Count { get; }

    /// <summary>Takes the next ids.</summary>
    void Write(ReadOnlySpan<int> ids);
}

/// <summary>Keeps ids in memory.</summary>
internal sealed class MemoryIds : IIdSink
{
    private readonly List<int> _ids = [];

    public long Count => _ids.Count;

    public ReadOnlySpan<int> Ids => System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_ids);

    public void Write(ReadOnlySpan<int> ids) => _ids.AddRange(ids);
}
