// Ids with the mask that goes with them (LossMask.cs). The mask's file is only made once there is something to hide.

namespace NanoGpt.Data;

/// <summary>Writes ids and, where there are prompts among them, their mask.</summary>
/// <param name="ids">Takes the ids.</param>
/// <param name="maskPath">The file for the mask.</param>
internal sealed class MaskedIds(TokenFileWriter ids, string maskPath) : IDisposable
{
    private FileStream? _mask;

    /// <summary>For ids without prompts.</summary>
    public TokenFileWriter Ids => ids;

    /// <summary>Writes ids, those of prompts hidden.</summary>
    /// <param name="part">The ids.</param>
    /// <param name="prompts">Ranges of them that are not to be learned, in their order.</param>
    public void Write(ReadOnlySpan<int> part, IReadOnlyList<(int Start, int End)> prompts)
    {
        if (prompts.Count > 0 && _mask is null)
        {
            _mask = new FileStream(maskPath, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1 << 16);
            WriteOnes(ids.Count);
        }

        ids.Write(part);
        if (_mask is null) return;
        var mask = new byte[part.Length];
        Array.Fill(mask, (byte)1);
        foreach (var (start, end) in prompts) mask.AsSpan(start..end).Clear();
        _mask.Write(mask);
    }

    /// <summary>Completes both files, down to the disk.</summary>
    public void Finish()
    {
        ids.Finish();
        _mask?.Flush(flushToDisk: true);
    }

    public void Dispose()
    {
        ids.Dispose();
        _mask?.Dispose();
    }

    private void WriteOnes(long count)
    {
        var ones = new byte[1 << 16];
        Array.Fill(ones, (byte)1);
        for (; count > 0; count -= ones.Length) _mask!.Write(ones, 0, (int)Math.Min(count, ones.Length));
    }
}
