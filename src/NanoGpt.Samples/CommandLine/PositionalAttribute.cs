// Marks an option that may be given without its name.

namespace NanoGpt.Samples.CommandLine;

/// <summary>A bare argument fills this option: each in the order of declaration; a list takes all that are left.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class PositionalAttribute : Attribute;
