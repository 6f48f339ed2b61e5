// Values as users type them: Python's and C#'s spelling of true, numbers with a point, enums in small letters.

using System.Globalization;

namespace NanoGpt.Samples.CommandLine;

internal static class ValueText
{
    private static readonly CultureInfo Invariant = CultureInfo.InvariantCulture;

    /// <summary>Whether options of this type can be given as text.</summary>
    public static bool IsSupported(Type type) =>
        type == typeof(string) || type == typeof(bool) || type == typeof(int) || type == typeof(long)
        || type == typeof(double) || type == typeof(float) || type == typeof(ulong) || type.IsEnum || type == typeof(IReadOnlyList<string>);

    /// <summary>A value that a config file gave, as it would be typed.</summary>
    public static string FromConfig(object? value) => value is null ? "None" : Convert.ToString(value, Invariant)!;

    /// <summary>Reads what was given as the option's type.</summary>
    /// <exception cref="UsageException">It is none; the message gives an example.</exception>
    public static object? Parse(Option option, Setting setting)
    {
        var text = setting.Text;
        if (option.MayBeNull && text is "None" or "null") return null;
        if (option.Type == typeof(string)) return text;
        var number = text.Replace("_", "", StringComparison.Ordinal);
        object? value = Type.GetTypeCode(option.Type) switch
        {
            _ when option.Type.IsEnum => ParseEnum(option, text),
            TypeCode.Boolean => text switch { "True" or "true" or "1" => true, "False" or "false" or "0" => false, _ => null },
            TypeCode.Int32 => int.TryParse(number, NumberStyles.AllowLeadingSign, Invariant, out var i) ? i : null,
            TypeCode.Int64 => long.TryParse(number, NumberStyles.AllowLeadingSign, Invariant, out var l) ? l : null,
            TypeCode.UInt64 => ulong.TryParse(number, NumberStyles.None, Invariant, out var u) ? u : null,
            TypeCode.Double => double.TryParse(number, NumberStyles.Float, Invariant, out var d) ? d : null,
            TypeCode.Single => float.TryParse(number, NumberStyles.Float, Invariant, out var f) ? f : null,
            _ => throw new InvalidOperationException($"{option.Name}: options of type {option.Type} are not supported."),
        };
        return value ?? throw new UsageException($"{setting}: must be {Expected(option)}.");
    }

    public static string Format(object value) => value switch
    {
        bool flag => flag ? "True" : "False",
        Enum name => name.ToString().ToLowerInvariant(),
        double real => FormatReal(real),
        float real => FormatReal(real),
        IFormattable formattable => formattable.ToString(null, Invariant),
        _ => value.ToString() ?? "",
    };

    // 6e-05 as people write it, 6e-5; 0.8 as it is.
    private static string FormatReal(double value) =>
        value != 0 && Math.Abs(value) < 0.001 ? value.ToString("0.###e-0", Invariant) : value.ToString("0.0###", Invariant);

    private static object? ParseEnum(Option option, string text)
    {
        var spelling = text.Replace("_", "", StringComparison.Ordinal).Replace("-", "", StringComparison.Ordinal);
        var name = Enum.GetNames(option.Type).FirstOrDefault(n => n.Equals(spelling, StringComparison.OrdinalIgnoreCase));
        return name is null ? null : Enum.Parse(option.Type, name);
    }

    private static string Expected(Option option)
    {
        if (option.IsFlag) return "True or False";
        if (option.Type.IsEnum) return "one of " + string.Join(", ", Enum.GetNames(option.Type).Select(name => name.ToLowerInvariant()));
        var kind = option.Type == typeof(double) || option.Type == typeof(float) ? "a number" : "a whole number";
        return option.DefaultText is { } example ? $"{kind}, for example --{option.Name}={example}" : kind;
    }
}
