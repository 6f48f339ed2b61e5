// What a checkpoint folder must hold: each file's size and SHA-256. Written last, so a folder that has it was finished;
// compared to the byte when read, so a flipped bit in the manifest itself is seen too. Knows nothing of what is in the files.

using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using NanoGpt.IO;

namespace NanoGpt.Training;

/// <summary>Writes and checks <c>manifest.json</c>.</summary>
internal static class CheckpointManifest
{
    public const string FileName = "manifest.json";

    private const string Format = "nanogpt-checkpoint-1";
    private const int LargestManifest = 1 << 20;

    private sealed record Entry(string Name, long Size, string Sha256);

    /// <summary>Lists all other files of <paramref name="folder"/> in a manifest.</summary>
    public static void Write(string folder)
    {
        var entries = Directory.EnumerateFiles(folder).Select(Path.GetFileName).Where(name => name != FileName)
            .Order(StringComparer.Ordinal).Select(name => Describe(folder, name!)).ToList();
        AtomicFile.WriteAllText(Path.Combine(folder, FileName), Text(entries));
    }

    /// <summary>Checks that every file is as the manifest says.</summary>
    /// <returns>What is wrong, or null where all is well.</returns>
    public static string? FindFault(string folder)
    {
        var path = Path.Combine(folder, FileName);
        try
        {
            if (!File.Exists(path)) return $"{FileName} is missing: the folder was never finished";
            if (new FileInfo(path).Length > LargestManifest) return $"{FileName} is larger than any manifest";
            var text = File.ReadAllText(path, Encoding.UTF8);
            if (Parse(text) is not { } entries || Text(entries) != text) return $"{FileName} is damaged";
            return entries.Select(entry => FindFault(folder, entry)).FirstOrDefault(fault => fault is not null);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return e.Message;
        }
    }

    private static string? FindFault(string folder, Entry entry)
    {
        var file = new FileInfo(Path.Combine(folder, entry.Name));
        if (!file.Exists) return $"{entry.Name} is missing";
        if (file.Length != entry.Size) return $"{entry.Name} has {file.Length} bytes, the manifest says {entry.Size}";
        var hash = Describe(folder, entry.Name).Sha256;
        return hash == entry.Sha256 ? null : $"{entry.Name} has SHA-256 {hash}, the manifest says {entry.Sha256}";
    }

    private static Entry Describe(string folder, string name)
    {
        using var stream = new FileStream(
            Path.Combine(folder, name), FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 20, FileOptions.SequentialScan);
        return new Entry(name, stream.Length, Convert.ToHexString(SHA256.HashData(stream)).ToLowerInvariant());
    }

    // One file a line. There is one way to write a manifest, so that reading can compare.
    private static string Text(IReadOnlyList<Entry> entries)
    {
        var lines = entries.Select(e => string.Create(
            CultureInfo.InvariantCulture, $"    {Quote(e.Name)}: {{ \"size\": {e.Size}, \"sha256\": {Quote(e.Sha256)} }}"));
        return $"{{\n  \"format\": {Quote(Format)},\n  \"files\": {{\n{string.Join(",\n", lines)}\n  }}\n}}\n";
    }

    private static string Quote(string text) => $"\"{JsonEncodedText.Encode(text)}\"";

    private static List<Entry>? Parse(string text)
    {
        try
        {
            using var document = JsonDocument.Parse(text);
            var root = document.RootElement;
            if (root.GetProperty("format").GetString() != Format) return null;
            var entries = new List<Entry>();
            foreach (var file in root.GetProperty("files").EnumerateObject())
            {
                if (file.Name != Path.GetFileName(file.Name) || file.Name.Length == 0) return null;
                entries.Add(new Entry(
                    file.Name, file.Value.GetProperty("size").GetInt64(), file.Value.GetProperty("sha256").GetString() ?? ""));
            }

            return entries;
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            return null;
        }
    }
}
