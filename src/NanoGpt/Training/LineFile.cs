// A text file that grows by whole lines: metrics, logs. Each line is one write, so a killed process leaves at most its
// last line cut off, which the next start removes.

using System.Text;
using NanoGpt.IO;

namespace NanoGpt.Training;

/// <summary>Appends lines to a file that others may read meanwhile.</summary>
internal sealed class LineFile : IDisposable
{
    private readonly FileStream _file;

    /// <summary>Opens <paramref name="path"/> for appending.</summary>
    /// <param name="path">The file, made if missing.</param>
    /// <param name="keep">Which of its present lines stay; null for a new file.</param>
    /// <param name="header">The first line of a new file; null for none.</param>
    public LineFile(string path, Predicate<string>? keep, string? header = null)
    {
        var lines = keep is not null && File.Exists(path)
            ? ReadWholeLines(path).Where(line => line == header || keep(line)).ToList()
            : [];
        if (header is not null && !lines.Contains(header)) lines.Insert(0, header);
        AtomicFile.WriteAllText(path, string.Concat(lines.Select(line => line + "\n")));
        _file = new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
    }

    /// <exception cref="IOException">The line could not be written; the file ends with the line before.</exception>
    public void Append(string line)
    {
        var end = _file.Length;
        try
        {
            _file.Write(Encoding.UTF8.GetBytes(line + "\n"));
        }
        catch (IOException)
        {
            _file.SetLength(end);
            throw;
        }
    }

    public void Dispose() => _file.Dispose();

    private static string[] ReadWholeLines(string path)
    {
        var text = File.ReadAllText(path, Encoding.UTF8);
        var end = text.LastIndexOf('\n');
        return end < 0 ? [] : text[..end].Split('\n');
    }
}
