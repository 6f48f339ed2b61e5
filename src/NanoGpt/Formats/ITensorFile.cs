// What model folders want of a file of weights, whichever its format.

namespace NanoGpt.Formats;

/// <summary>An open file of named tensors.</summary>
internal interface ITensorFile : IDisposable
{
    /// <summary>The tensors by their names in the file.</summary>
    IReadOnlyDictionary<string, StoredTensor> Stored { get; }
}
