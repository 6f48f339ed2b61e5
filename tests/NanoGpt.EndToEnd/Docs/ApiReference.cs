// docs/api.md, written from the compiled library and its XML documentation: every public type and member with its first words.

using System.Globalization;
using System.Reflection;
using System.Text;

namespace NanoGpt.EndToEnd.Docs;

internal static class ApiReference
{
    private const BindingFlags Declared = BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;
    private static readonly NullabilityInfoContext Nullability = new();

    public static string Write(Assembly assembly, XmlComments comments)
    {
        var text = new StringBuilder("""
            # API reference

            Every public type and member, from the XML documentation. Generated: a test compares it and, with `NANOGPT_WRITE_DOCS=1`, writes it.

            """.ReplaceLineEndings("\n"));
        foreach (var space in assembly.GetExportedTypes().Where(t => !t.IsNested).GroupBy(t => t.Namespace!).OrderBy(g => g.Key, StringComparer.Ordinal))
        {
            text.Append(CultureInfo.InvariantCulture, $"\n## {space.Key}\n");
            foreach (var type in space.OrderBy(t => t.Name, StringComparer.Ordinal)) WriteType(text, type, comments);
        }

        return text.ToString();
    }

    private static void WriteType(StringBuilder text, Type type, XmlComments comments)
    {
        var id = XmlComments.Id(type);
        text.Append(CultureInfo.InvariantCulture, $"\n### {TypeName(type)}\n\n*{Kind(type)}.* {comments.Text(id, "summary")}\n");
        if (comments.Text(id, "remarks") is { Length: > 0 } remarks) text.Append(CultureInfo.InvariantCulture, $"\n{remarks}\n");

        var rows = Members(type).Select(m => (Signature: Signature(m), Words: Words(m, type, comments))).ToList();
        if (rows.Count == 0) return;
        text.Append("\n| member | |\n| --- | --- |\n");
        foreach (var (signature, words) in rows) text.Append(CultureInfo.InvariantCulture, $"| `{signature}` | {words} |\n");
    }

    private static string Kind(Type type) => type switch
    {
        { IsEnum: true } => "Enum",
        { IsInterface: true } => "Interface",
        { IsValueType: true } => "Struct",
        _ when type.GetMethod("<Clone>$") is not null => "Record",
        { IsAbstract: true, IsSealed: true } => "Static class",
        { IsAbstract: true } => "Abstract class",
        _ => "Class",
    };

    private static List<MemberInfo> Members(Type type)
    {
        if (type.IsEnum) return [.. type.GetFields(BindingFlags.Public | BindingFlags.Static)];
        var isRecord = type.GetMethod("<Clone>$") is not null || (type.IsValueType && type.GetMethod("PrintMembers", BindingFlags.NonPublic | BindingFlags.Instance) is not null);
        var methods = type.GetMethods(Declared).Where(m => !m.IsSpecialName && m.Name is not ("Equals" or "GetHashCode" or "ToString" or "<Clone>$" or "Deconstruct"));
        var properties = type.GetProperties(Declared).Where(p => p.Name != "EqualityContract");
        var constructors = type.GetConstructors(Declared).Where(c => c.GetParameters().Length > 0 || !isRecord);
        return [.. constructors, .. properties.OrderBy(p => p.MetadataToken), .. methods.OrderBy(m => m.MetadataToken)];
    }

    private static string Words(MemberInfo member, Type type, XmlComments comments)
    {
        var id = XmlComments.Id(member);
        var summary = comments.Text(id, "summary");
        if (summary.Length == 0 && member is PropertyInfo or MethodInfo) summary = Inherited(member, type, comments);
        return $"{summary} {comments.Text(id, "value")}".Trim();
    }

    /// <summary>What a bare inheritdoc stands for: the base's words where they are ours, else where to look.</summary>
    private static string Inherited(MemberInfo member, Type type, XmlComments comments)
    {
        var bases = new[] { type.BaseType }.Concat(type.GetInterfaces()).OfType<Type>().ToList();
        foreach (var origin in bases.SelectMany(b => b.GetMember(member.Name, Declared)))
        {
            var words = comments.Text(XmlComments.Id(origin), "summary");
            return words.Length > 0 ? words : $"As `{TypeName(origin.DeclaringType!)}.{member.Name}`.";
        }

        return "";
    }

    private static string Signature(MemberInfo member) => member switch
    {
        FieldInfo field => field.Name,
        PropertyInfo property => $"{property.Name}: {TypeName(property.PropertyType, Nullability.Create(property))}",
        ConstructorInfo constructor => $"new {constructor.DeclaringType!.Name.Split('`')[0]}({Parameters(constructor)})",
        MethodInfo method => $"{method.Name}({Parameters(method)}){Returns(method)}",
        _ => member.Name,
    };

    private static string Returns(MethodInfo method) =>
        method.ReturnType == typeof(void) ? "" : $": {TypeName(method.ReturnType, Nullability.Create(method.ReturnParameter))}";

    private static string Parameters(MethodBase method) => string.Join(", ", method.GetParameters().Select(p =>
        $"{TypeName(p.ParameterType, Nullability.Create(p))} {p.Name}{(p.HasDefaultValue ? $" = {Default(p)}" : "")}"));

    private static string Default(ParameterInfo parameter) => parameter.DefaultValue switch
    {
        null => parameter.ParameterType.IsValueType && Nullable.GetUnderlyingType(parameter.ParameterType) is null ? "default" : "null",
        string text => $"\"{text}\"",
        bool flag => flag ? "true" : "false",
        var value => Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };

    private static string TypeName(Type type, NullabilityInfo? nullability = null)
    {
        if (Nullable.GetUnderlyingType(type) is { } underlying) return TypeName(underlying) + "?";
        var mark = nullability is { ReadState: NullabilityState.Nullable } && !type.IsValueType ? "?" : "";
        if (type.IsArray) return TypeName(type.GetElementType()!) + "[]" + mark;
        var name = type switch
        {
            _ when type == typeof(int) => "int",
            _ when type == typeof(long) => "long",
            _ when type == typeof(float) => "float",
            _ when type == typeof(double) => "double",
            _ when type == typeof(bool) => "bool",
            _ when type == typeof(byte) => "byte",
            _ when type == typeof(char) => "char",
            _ when type == typeof(string) => "string",
            _ when type == typeof(object) => "object",
            _ => type.Name.Split('`')[0],
        };
        if (!type.IsGenericType) return name + mark;
        var arguments = type.GetGenericArguments().Select((a, i) => TypeName(a, nullability?.GenericTypeArguments.ElementAtOrDefault(i)));
        return name == "ValueTuple" ? $"({string.Join(", ", arguments)}){mark}" : $"{name}<{string.Join(", ", arguments)}>{mark}";
    }
}
