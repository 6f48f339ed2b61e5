// One value from a config file or a command line on its way into a typed option. As in nanoGPT a value of another type is
// an error, with one kindness: a whole number may stand where a fraction is asked for, and 1e3 where a whole number is.

using System.Globalization;

namespace NanoGpt.Training;

/// <summary>A named value of type bool, long, double, string or null, and what it can be read as.</summary>
internal readonly struct OptionValue(string name, object? value)
{
    public bool IsNull => value is null;

    public bool Bool() => value is bool b ? b : throw Wrong("True or False");

    public int Int() => value switch
    {
        long and >= int.MinValue and <= int.MaxValue => (int)(long)value,
        int i => i,
        double d when d == Math.Floor(d) && Math.Abs(d) <= int.MaxValue => (int)d,
        _ => throw Wrong("a whole number of at most 2147483647"),
    };

    public double Double() => value switch
    {
        double d => d,
        long l => l,
        int i => i,
        _ => throw Wrong("a number"),
    };

    public string Text() => value as string ?? throw Wrong("a text");

    public int? IntOrNull() => value is null ? null : Int();

    public double? DoubleOrNull() => value is null ? null : Double();

    public string? TextOrNull() => value is null ? null : Text();

    /// <summary>One of an enum's names in any case; numbers are not names.</summary>
    public T Choice<T>() where T : struct, Enum
    {
        var names = Enum.GetNames<T>();
        var text = value as string;
        var i = Array.FindIndex(names, name => name.Equals(text, StringComparison.OrdinalIgnoreCase));
        return i >= 0
            ? Enum.GetValues<T>()[i]
            : throw Wrong("one of " + string.Join(", ", names.Select(name => name.ToLowerInvariant())));
    }

    private ArgumentException Wrong(string expected)
    {
        var found = value switch
        {
            null => "None",
            string s => $"the text '{s}'",
            bool b => b ? "True" : "False",
            IFormattable f => f.ToString(null, CultureInfo.InvariantCulture),
            _ => value.ToString(),
        };
        return new ArgumentException($"{name} is {found}, must be {expected}.");
    }
}
