// All options of one command, found by reflection in its options record. A property that holds another record (the
// library's TrainerOptions, say) contributes that record's properties, so that no option is declared twice.

using System.Reflection;

namespace NanoGpt.Samples.CommandLine;

/// <summary>An option and the text given for it.</summary>
/// <param name="Name">The option's name, without dashes.</param>
/// <param name="Text">The value as typed.</param>
/// <param name="Where">The config file that says so; null for the command line.</param>
internal sealed record Setting(string Name, string Text, string? Where = null)
{
    /// <summary>As it was given.</summary>
    public override string ToString() => Where is null ? $"--{Name}={Text}" : $"{Where}: {Name} = {Text}";
}

internal sealed class OptionTable
{
    private readonly Func<object> create;

    private OptionTable(Func<object> create, IReadOnlyList<Option> all)
    {
        this.create = create;
        All = all;
    }

    public IReadOnlyList<Option> All { get; }

    public IReadOnlyList<Option> Positionals => [.. All.Where(option => option.IsPositional)];

    public static OptionTable For(Type type)
    {
        object Create() => Activator.CreateInstance(type)!;
        return new OptionTable(Create, [.. Options(Create(), [])]);
    }

    /// <exception cref="UsageException">There is no such option.</exception>
    public Option Find(string name, string? where = null)
    {
        var spelling = Spelling(name);
        return All.FirstOrDefault(option => Spelling(option.Name) == spelling)
            ?? throw new UsageException((where is null ? "" : where + ": ") + UnknownName.Message("option", name, [.. All.Select(o => o.Name), "help", "verbose"]));
    }

    /// <summary>A new options record with <paramref name="settings"/> applied; later ones win, except that lists collect.</summary>
    public object Bind(IEnumerable<Setting> settings)
    {
        var options = create();
        foreach (var group in settings.GroupBy(setting => setting.Name))
        {
            var option = Find(group.Key);
            option.Set(options, option.IsList ? group.Select(s => s.Text).ToList() : ValueText.Parse(option, group.Last()));
        }

        return options;
    }

    // top_k, top-k and topk are one option.
    private static string Spelling(string name) =>
        name.Replace("-", "", StringComparison.Ordinal).Replace("_", "", StringComparison.Ordinal).ToLowerInvariant();

    private static IEnumerable<Option> Options(object holder, IReadOnlyList<PropertyInfo> path)
    {
        var hidden = path.Count == 0 ? null : path[^1].GetCustomAttribute<WithoutAttribute>();
        foreach (var property in holder.GetType().GetProperties().Where(p => p.CanWrite && hidden?.Properties.Contains(p.Name) != true))
        {
            IReadOnlyList<PropertyInfo> here = [.. path, property];
            var type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
            var value = property.GetValue(holder);
            if (ValueText.IsSupported(type))
                yield return new Option(here, value);
            else if (value is not null && type.GetMethod("<Clone>$") is not null) // a record
                foreach (var inner in Options(value, here)) yield return inner;
        }
    }
}
