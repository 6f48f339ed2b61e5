// Splits a command line into settings: config files first, then what is typed, in its order. Knows names, not meanings.

namespace NanoGpt.Samples.CommandLine;

internal static class ArgumentReader
{
    /// <exception cref="UsageException">An argument is not understood.</exception>
    public static IReadOnlyList<Setting> Read(ReadOnlySpan<string> arguments, OptionTable options, bool takesConfigFiles)
    {
        var fromFiles = new List<Setting>();
        var typed = new List<Setting>();
        var positionals = new Queue<Option>(options.Positionals);

        for (var i = 0; i < arguments.Length; i++)
        {
            var argument = arguments[i];
            if (argument == "--verbose") continue;

            if (argument.StartsWith("--", StringComparison.Ordinal))
            {
                var next = i + 1 < arguments.Length ? arguments[i + 1] : null;
                var (setting, tookNext) = ReadOption(argument[2..], next, options);
                typed.Add(setting);
                if (tookNext) i++;
            }
            else if (takesConfigFiles && Path.GetExtension(argument) is ".json" or ".py")
            {
                fromFiles.AddRange(ConfigFile.Read(argument).Select(pair =>
                    new Setting(options.Find(pair.Key, argument).Name, ValueText.FromConfig(pair.Value), argument)));
            }
            else if (positionals.TryPeek(out var positional))
            {
                typed.Add(new Setting(positional.Name, argument));
                if (!positional.IsList) positionals.Dequeue();
            }
            else
            {
                throw new UsageException($"'{argument}' is not understood; options are written --name=value.{Dashed(argument, options)}");
            }
        }

        return [.. fromFiles, .. typed];
    }

    // n_layer=4 and -n_layer=4 lack dashes.
    private static string Dashed(string argument, OptionTable options)
    {
        var bare = argument.TrimStart('-');
        return bare is "help" or "verbose" || options.All.Any(option => option.Name == bare.Split('=')[0]) ? $" Did you mean '--{bare}'?" : "";
    }

    // --name=value, --name value, and --name alone for True.
    private static (Setting Setting, bool TookNext) ReadOption(string text, string? next, OptionTable options)
    {
        var equals = text.IndexOf('=', StringComparison.Ordinal);
        var option = options.Find(equals < 0 ? text : text[..equals]);
        if (equals >= 0) return (new Setting(option.Name, text[(equals + 1)..]), false);
        if (option.IsFlag) return next is "True" or "true" or "False" or "false" ? (new(option.Name, next), true) : (new(option.Name, "True"), false);
        if (next is null || next.StartsWith("--", StringComparison.Ordinal))
            throw new UsageException($"--{option.Name} needs a value: --{option.Name}={option.DefaultText ?? "..."}.");
        return (new Setting(option.Name, next), true);
    }
}
