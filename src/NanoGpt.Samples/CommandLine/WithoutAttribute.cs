// Marks a record inside an options record of whose properties some are not options of that command.

namespace NanoGpt.Samples.CommandLine;

/// <param name="properties">Names of the properties, as in C#, that the command sets itself or has no use for.</param>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class WithoutAttribute(params string[] properties) : Attribute
{
    public IReadOnlyList<string> Properties => properties;
}
