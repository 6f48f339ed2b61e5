// Arguments into typed records, without the program around it.

using NanoGpt.Samples.CommandLine;

namespace NanoGpt.EndToEnd.Samples;

public sealed class ArgumentTests
{
    private enum Shade
    {
        Light,
        VeryDark,
    }

    private sealed record Inner
    {
        public int? TopK { get; init; } = 200;

        public double LearningRate { get; init; } = 6e-4;

        public Func<int>? NotAnOption { get; init; }
    }

    private sealed record Outer
    {
        [Positional]
        public string Dataset { get; init; } = "";

        [Positional]
        public IReadOnlyList<string> Runs { get; init; } = [];

        public int NLayer { get; init; } = 12;

        public bool EvalOnly { get; init; }

        public string Start { get; init; } = "\n";

        public Shade Shade { get; init; }

        public Inner Inner { get; init; } = new();
    }

    private static Outer Read(params string[] arguments)
    {
        var table = OptionTable.For(typeof(Outer));
        return (Outer)table.Bind(ArgumentReader.Read(arguments, table, takesConfigFiles: true));
    }

    [Fact]
    public void Nothing_given_is_the_defaults() => Assert.Equivalent(new Outer(), Read());

    [Fact]
    public void Options_are_found_by_their_underscored_names_also_inside_a_nested_record()
    {
        var options = Read("shakespeare", "--n_layer=4", "--learning_rate", "1e-3", "--eval_only", "--shade=very_dark", "--start=--x=y", "a", "b");
        Assert.Equal(("shakespeare", 4, 1e-3, true, Shade.VeryDark, "--x=y"),
            (options.Dataset, options.NLayer, options.Inner.LearningRate, options.EvalOnly, options.Shade, options.Start));
        Assert.Equal(["a", "b"], options.Runs);
    }

    [Theory]
    [InlineData("--eval_only=True", true)]
    [InlineData("--eval_only=true", true)]
    [InlineData("--eval-only", true)]
    [InlineData("--eval_only=False", false)]
    public void Flags_take_both_spellings_of_true_and_false(string argument, bool expected) => Assert.Equal(expected, Read(argument).EvalOnly);

    [Fact]
    public void None_switches_off_what_may_be_off()
    {
        Assert.Null(Read("--top_k=None").Inner.TopK);
        Assert.Throws<UsageException>(() => Read("--n_layer=None"));
    }

    [Fact]
    public void The_last_value_wins() => Assert.Equal(3, Read("--n_layer=2", "--n_layer=3").NLayer);

    [Theory]
    [InlineData("--n_layr=2", "unknown option 'n_layr'; did you mean 'n_layer'?")]
    [InlineData("--not_an_option=2", "unknown option 'not_an_option'; --help lists what there is.")]
    [InlineData("--n_layer=two", "--n_layer=two: must be a whole number, for example --n_layer=12.")]
    [InlineData("--n_layer=2.5", "--n_layer=2.5: must be a whole number, for example --n_layer=12.")]
    [InlineData("--n_layer=99999999999", "--n_layer=99999999999: must be a whole number, for example --n_layer=12.")]
    [InlineData("--n_layer", "--n_layer needs a value: --n_layer=12.")]
    [InlineData("--learning_rate=fast", "--learning_rate=fast: must be a number, for example --learning_rate=6e-4.")]
    [InlineData("--eval_only=yes", "--eval_only=yes: must be True or False.")]
    [InlineData("--shade=pink", "--shade=pink: must be one of light, verydark.")]
    public void A_mistake_is_named_together_with_what_would_be_right(string argument, string message) =>
        Assert.Equal(message, Assert.Throws<UsageException>(() => Read(argument)).Message);

    [Theory]
    [InlineData("NLayer", "n_layer")]
    [InlineData("Beta1", "beta1")]
    [InlineData("TopK", "top_k")]
    [InlineData("GradientAccumulationSteps", "gradient_accumulation_steps")]
    public void Names_are_nanoGPT_s(string property, string name) => Assert.Equal(name, Option.SnakeCase(property));
}
