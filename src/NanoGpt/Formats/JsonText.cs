// JSON as Python's json.dumps(indent=2, sort_keys=True) lays it out, so that our small files and transformers' are the
// same text. Only what those files need.

using System.Globalization;
using System.Text.Encodings.Web;

namespace NanoGpt.Formats;

/// <summary>Pieces of JSON text.</summary>
internal static class JsonText
{
    /// <summary>An object, one key a line, with the newline that ends the file.</summary>
    public static string Object(SortedDictionary<string, string> keys, int indent = 0)
    {
        var margin = new string(' ', indent);
        var lines = keys.Select(entry => $"{margin}  {String(entry.Key)}: {entry.Value}");
        return "{\n" + string.Join(",\n", lines) + $"\n{margin}}}" + (indent == 0 ? "\n" : "");
    }

    public static string String(string value) => $"\"{JavaScriptEncoder.Default.Encode(value)}\"";

    public static string Integer(long? value) => value?.ToString(CultureInfo.InvariantCulture) ?? "null";

    /// <summary>The shortest text that reads back as the same number: <c>0.1</c>, <c>0.0</c>, <c>1e-05</c>.</summary>
    public static string Float(double value)
    {
        var text = value.ToString("R", CultureInfo.InvariantCulture).Replace('E', 'e');
        return text.AsSpan().IndexOfAny('.', 'e') < 0 ? text + ".0" : text;
    }

    public static string Boolean(bool value) => value ? "true" : "false";
}
