// Help texts come from the XML documentation that the compiler writes beside each assembly: said once, shown in the IDE
// and in --help.

using System.Reflection;
using System.Text;
using System.Text.RegularExpressions;
using System.Xml;
using System.Xml.Linq;

namespace NanoGpt.Samples.CommandLine;

internal static partial class XmlDocs
{
    private static readonly Dictionary<Assembly, Dictionary<string, XElement>> Loaded = [];

    /// <summary>The property's summary as plain text; empty where there is none.</summary>
    public static string SummaryOf(PropertyInfo property) => TextOf(property, "summary");

    /// <summary>What the property's documentation says of its value, as plain text; empty where it says nothing.</summary>
    public static string ValueOf(PropertyInfo property) => TextOf(property, "value");

    private static string TextOf(PropertyInfo property, string element)
    {
        var type = property.DeclaringType!;
        var members = Loaded.TryGetValue(type.Assembly, out var known) ? known : Loaded[type.Assembly] = Load(type.Assembly);
        var key = $"P:{type.FullName!.Replace('+', '.')}.{property.Name}";
        return members.GetValueOrDefault(key)?.Element(element) is { } found ? PlainText(found) : "";
    }

    private static Dictionary<string, XElement> Load(Assembly assembly)
    {
        try
        {
            var path = Path.Combine(AppContext.BaseDirectory, assembly.GetName().Name + ".xml");
            return XDocument.Load(path).Descendants("member").ToDictionary(member => member.Attribute("name")!.Value);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or XmlException)
        {
            return []; // help without descriptions is still help
        }
    }

    private static string PlainText(XElement element)
    {
        var text = new StringBuilder();
        foreach (var node in element.DescendantNodes())
        {
            if (node is XText words) text.Append(words.Value);
            else if (node is XElement { IsEmpty: true } reference) text.Append(NameIn(reference));
        }

        return Null().Replace(Spaces().Replace(text.ToString(), " ").Trim(), "None");
    }

    // <see cref="P:NanoGpt.TrainerOptions.MaxIters"/> reads "max_iters".
    private static string NameIn(XElement reference)
    {
        var name = (reference.Attribute("cref") ?? reference.Attribute("langword") ?? reference.Attribute("name"))?.Value ?? "";
        return name.StartsWith("P:", StringComparison.Ordinal) ? Option.SnakeCase(name[(name.LastIndexOf('.') + 1)..]) : name[(name.LastIndexOf('.') + 1)..];
    }

    // What is null in C# is typed as nanoGPT's users do.
    [GeneratedRegex(@"\b[Nn]ull\b")]
    private static partial Regex Null();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();
}
