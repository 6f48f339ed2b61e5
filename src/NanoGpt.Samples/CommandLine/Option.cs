// One option: a property of an options record under its snake_case name.

using System.Collections;
using System.Reflection;
using System.Text;

namespace NanoGpt.Samples.CommandLine;

/// <param name="Path">From the options record to the property; more than one where the record holds another record.</param>
/// <param name="Default">The value when nothing is given.</param>
internal sealed record Option(IReadOnlyList<PropertyInfo> Path, object? Default)
{
    private PropertyInfo Property => Path[^1];

    public string Name { get; } = SnakeCase(Path[^1].Name);

    public Type Type { get; } = Nullable.GetUnderlyingType(Path[^1].PropertyType) ?? Path[^1].PropertyType;

    public bool IsFlag => Type == typeof(bool);

    public bool IsList => Type == typeof(IReadOnlyList<string>);

    public bool IsPositional => Property.IsDefined(typeof(PositionalAttribute));

    public bool MayBeNull => Nullable.GetUnderlyingType(Property.PropertyType) is not null;

    /// <summary>From the property's XML documentation: what it is; what can be chosen; what holds where it is not given and no default is shown.</summary>
    public string Description => string.Join(' ', new[] { Summary, Choices, Otherwise }.Where(part => part.Length > 0));

    private string Summary => XmlDocs.SummaryOf(Property).Replace($" ({Name})", "", StringComparison.Ordinal);

    private string Choices
    {
        get
        {
            var names = Type.IsEnum ? Enum.GetNames(Type).Select(name => name.ToLowerInvariant()).ToList() : [];
            return names.Count == 0 || Summary.Contains(names[^1], StringComparison.OrdinalIgnoreCase) ? "" : $"One of {string.Join(", ", names)}.";
        }
    }

    // "Default None: 40 on a GPU. At least 1." says "40 on a GPU".
    private string Otherwise
    {
        get
        {
            const string start = "Default None: ";
            var value = XmlDocs.ValueOf(Property);
            return Default is null && value.StartsWith(start, StringComparison.Ordinal)
                ? $"If not given: {value[start.Length..].Split(". ")[0].TrimEnd('.')}." : "";
        }
    }

    /// <summary>The default as a user would type it, or null where there is nothing to show.</summary>
    public string? DefaultText => Default switch
    {
        null or "" or ICollection { Count: 0 } => null,
        string text when text.Contains('\n') => $"\"{text.Replace("\n", "\\n", StringComparison.Ordinal)}\"",
        _ => ValueText.Format(Default),
    };

    /// <summary>Sets the property, in the record that holds it.</summary>
    public void Set(object options, object? value)
    {
        var owner = Path.SkipLast(1).Aggregate(options, (holder, property) => property.GetValue(holder)!);
        Property.SetValue(owner, value);
    }

    /// <summary><c>NLayer</c> to <c>n_layer</c>, <c>Beta1</c> to <c>beta1</c>.</summary>
    public static string SnakeCase(string name)
    {
        var result = new StringBuilder();
        for (var i = 0; i < name.Length; i++)
        {
            var startsWord = char.IsUpper(name[i]) && i > 0
                && (!char.IsUpper(name[i - 1]) || (i + 1 < name.Length && char.IsLower(name[i + 1])));
            if (startsWord) result.Append('_');
            result.Append(char.ToLowerInvariant(name[i]));
        }

        return result.ToString();
    }
}
