// What every command has: a name, a help page, options of its own type. The commands themselves are in Commands/.

using NanoGpt.Samples.CommandLine;

namespace NanoGpt.Samples;

internal abstract class Command
{
    public abstract string Name { get; }

    /// <summary>One line for the list of commands.</summary>
    public abstract string Summary { get; }

    /// <summary>Command lines without <c>nanogpt</c>, for the help page.</summary>
    public abstract IReadOnlyList<string> Examples { get; }

    /// <summary>What the help page says under the options; may be empty.</summary>
    public virtual string Remarks => "";

    /// <summary>Whether bare arguments that end in .json or .py are config files.</summary>
    public virtual bool TakesConfigFiles => false;

    public abstract OptionTable Options { get; }

    /// <summary>What to say where something that the command cannot do without is not given.</summary>
    /// <param name="question">What is asked for.</param>
    /// <param name="example">Which of the examples has it.</param>
    protected UsageException Missing(string question, int example = 0) => new($"{question}{(question.EndsWith('?') ? " For" : "; for")} example: nanogpt {Examples[example]}");

    /// <summary>Reads the arguments and runs, or shows the help page.</summary>
    public abstract Task RunAsync(ReadOnlyMemory<string> arguments, Session session);
}

/// <typeparam name="TOptions">A record whose properties are the options.</typeparam>
internal abstract class Command<TOptions> : Command where TOptions : class, new()
{
    private OptionTable? options;

    public override OptionTable Options => options ??= OptionTable.For(typeof(TOptions));

    public sealed override Task RunAsync(ReadOnlyMemory<string> arguments, Session session)
    {
        if (arguments.Span.ContainsAny("--help", "-h"))
        {
            HelpPage.Write(this, session.Output);
            return Task.CompletedTask;
        }

        var settings = ArgumentReader.Read(arguments.Span, Options, TakesConfigFiles);
        return RunAsync((TOptions)Options.Bind(settings), session with { Given = settings.Select(s => s.Name).ToHashSet() });
    }

    protected abstract Task RunAsync(TOptions options, Session session);
}
