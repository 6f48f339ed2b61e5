// A minimal JSON config file: one flat object.

using System.Text.Json;

namespace NanoGpt.Samples.CommandLine;

internal static class ConfigFile
{
    public static IReadOnlyList<Setting> Read(string path)
    {
        using var document = JsonDocument.Parse(File.ReadAllText(path));
        return [.. document.RootElement.EnumerateObject().Select(p => new Setting(p.Name, p.Value.ToString(), path))];
    }
}
