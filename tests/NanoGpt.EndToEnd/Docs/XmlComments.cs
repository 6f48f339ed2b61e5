// The XML documentation of the library by member, as Markdown.

using System.Reflection;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace NanoGpt.EndToEnd.Docs;

internal sealed partial class XmlComments
{
    private readonly Dictionary<string, XElement> _members;

    public XmlComments(string path) => _members = XDocument.Load(path).Descendants("member").ToDictionary(m => (string)m.Attribute("name")!);

    /// <summary>One element of a member's comment as one paragraph, or an empty text.</summary>
    public string Text(string id, string element)
    {
        if (!_members.TryGetValue(id, out var member)) return "";
        if (member.Element(element) is { } found) return Markdown(found);
        var from = (string?)member.Elements("inheritdoc").FirstOrDefault(e => e.Attribute("path") is null)?.Attribute("cref");
        if (from is null) return "";
        var target = _members.ContainsKey(from) ? from : _members.Keys.FirstOrDefault(k => k.StartsWith(from + "(", StringComparison.Ordinal));
        return target is null || target == id ? "" : Text(target, element);
    }

    /// <summary>The compiler's name of a member: M:NanoGpt.GPT.Forward(TorchSharp.torch.Tensor,...).</summary>
    public static string Id(MemberInfo member) => member switch
    {
        Type type => $"T:{TypeId(type)}",
        FieldInfo field => $"F:{TypeId(field.DeclaringType!)}.{field.Name}",
        PropertyInfo property => $"P:{TypeId(property.DeclaringType!)}.{property.Name}",
        ConstructorInfo constructor => $"M:{TypeId(constructor.DeclaringType!)}.#ctor{Parameters(constructor)}",
        MethodInfo method => $"M:{TypeId(method.DeclaringType!)}.{method.Name}{Parameters(method)}",
        _ => throw new ArgumentException($"{member} is a kind of member that the reference does not know.", nameof(member)),
    };

    private static string Parameters(MethodBase method)
    {
        var parameters = method.GetParameters();
        return parameters.Length == 0 ? "" : $"({string.Join(',', parameters.Select(p => TypeId(p.ParameterType)))})";
    }

    private static string TypeId(Type type)
    {
        if (type.IsByRef) return TypeId(type.GetElementType()!) + "@";
        if (type.IsArray) return TypeId(type.GetElementType()!) + "[]";
        var name = (type.IsNested ? TypeId(type.DeclaringType!) : type.Namespace) + "." + type.Name.Split('`')[0];
        if (!type.IsGenericType) return name;
        return name + (type.IsGenericTypeDefinition
            ? "`" + type.GetGenericArguments().Length
            : "{" + string.Join(',', type.GetGenericArguments().Select(TypeId)) + "}");
    }

    private static string Markdown(XElement element) => White().Replace(string.Concat(element.Nodes().Select(Node)), " ").Trim();

    private static string Node(XNode node) => node switch
    {
        XText text => text.Value.Replace("|", "\\|", StringComparison.Ordinal).Replace("<", "&lt;", StringComparison.Ordinal),
        XElement { Name.LocalName: "c" } code => $"`{code.Value}`",
        XElement { Name.LocalName: "see" or "seealso" } see =>
            $"`{(string?)see.Attribute("langword") ?? Short((string?)see.Attribute("cref") ?? see.Value)}`",
        XElement { Name.LocalName: "paramref" or "typeparamref" } parameter => $"`{(string)parameter.Attribute("name")!}`",
        XElement other => string.Concat(other.Nodes().Select(Node)) + " ",
        _ => "",
    };

    // M:NanoGpt.Generator.Generate(System.String) becomes Generator.Generate, T:NanoGpt.GPT becomes GPT.
    private static string Short(string cref)
    {
        var parts = cref[(cref.IndexOf(':', StringComparison.Ordinal) + 1)..].Split('(')[0].Split('.');
        return string.Join('.', parts[^(cref.StartsWith("T:", StringComparison.Ordinal) || parts.Length < 2 ? 1 : 2)..]).Split('`')[0];
    }

    [GeneratedRegex(@"\s+")]
    private static partial Regex White();
}
