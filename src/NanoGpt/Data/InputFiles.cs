// What kind of input a path is: one text, or many documents.

namespace NanoGpt.Data;

/// <summary>Finds out what an input is by its name, or by the names in it.</summary>
internal static class InputFiles
{
    /// <summary>The documents of the path; null where it is one text.</summary>
    /// <exception cref="ModelFormatException">There is nothing, or nothing that can be read.</exception>
    public static DocumentSource? AsDocuments(string path)
    {
        if (File.Exists(path))
        {
            return Path.GetExtension(path).ToLowerInvariant() switch
            {
                ".jsonl" => new JsonLines(path, [path]),
                ".parquet" => throw Parquet(path),
                _ => null,
            };
        }

        if (!Directory.Exists(path)) throw new ModelFormatException($"{path}: no such file or folder; expected a .txt or .jsonl file, or a folder of them.");
        var texts = FilesOf(path, ".txt");
        var lines = FilesOf(path, ".jsonl");
        if (texts.Count > 0 && lines.Count > 0)
            throw new ModelFormatException($"{path}: {texts.Count} .txt and {lines.Count} .jsonl files; expected one kind. Name a folder that has one.");
        if (texts.Count > 0) return new TextFolder(path, texts);
        if (lines.Count > 0) return new JsonLines(path, lines);
        throw FilesOf(path, ".parquet").Count > 0 ? Parquet(path) : new ModelFormatException($"{path}: no .txt or .jsonl files in it.");
    }

    /// <summary>The files with an extension in a folder and in those below it, in ordinal order of their paths.</summary>
    private static List<string> FilesOf(string folder, string extension) =>
        [.. Directory.EnumerateFiles(folder, "*" + extension, SearchOption.AllDirectories).Order(StringComparer.Ordinal)];

    private static ModelFormatException Parquet(string path) => new(
        $"{path}: Parquet is read by the console program (prepare --input), not by the library: give its documents as Documents.");
}
