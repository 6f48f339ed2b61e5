namespace NanoGpt.Tests.Training;

public sealed class ConfigFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Python_config_as_people_write_them_is_read_in_order()
    {
        var values = Read("config.py", """
            # finetune something
            import time

            out_dir = 'out-shakespeare' # a comment
            eval_interval = 5
            wandb_run_name = 'ft-' + str(12)
            init_from = "gpt2-xl"
            always_save_checkpoint = False
            batch_size=1
            gradient_accumulation_steps = 5 * 8
            learning_rate = 3e-5
            max_iters = 600_000
            lr_decay_iters = max_iters
            min_lr = learning_rate/10
            resume_from = None
            hash = 'a # b'
            weight_decay = 1e-1
            size = -(2 + 3) * 2 ** 3 // 3
            """);

        Assert.Equal(
        [
            new("out_dir", "out-shakespeare"), new("eval_interval", 5L), new("wandb_run_name", "ft-12"), new("init_from", "gpt2-xl"),
            new("always_save_checkpoint", false), new("batch_size", 1L), new("gradient_accumulation_steps", 40L), new("learning_rate", 3e-5),
            new("max_iters", 600_000L), new("lr_decay_iters", 600_000L), new("min_lr", 3e-5 / 10), new("resume_from", null),
            new("hash", "a # b"), new("weight_decay", 0.1), new("size", -14L),
        ], values);
    }

    [Fact]
    public void Clock_in_a_run_name_is_known() =>
        Assert.StartsWith("ft-1", (string)Read("config.py", "wandb_run_name = 'ft-' + str(time.time())")[0].Value!);

    [Theory]
    [InlineData("print('x')", "line 1")]
    [InlineData("a = 1\nb = open('x')", "line 2")]
    [InlineData("a = __import__('os').system('true')", "unknown name")]
    [InlineData("a = [1, 2]", "unexpected '[1, 2]'")]
    [InlineData("a = 'open", "closing quote")]
    [InlineData("a = 1 +", "missing value")]
    [InlineData("a == 1", "no `name = value`")]
    [InlineData("  a = 1", "indentation")]
    [InlineData("a = 1 if True else 2", "unexpected 'if")]
    [InlineData("a = 9999999999 * 9999999999", "above 64 bits")]
    [InlineData("a = 1 / 0", "no value")]
    [InlineData("a = 1e", "not a number")]
    [InlineData("if True:", "no `name = value`")]
    public void Anything_but_names_and_values_is_refused_with_its_line(string text, string message)
    {
        var error = Assert.Throws<ModelFormatException>(() => Read("config.py", text)).Message;

        Assert.Contains("config.py", error);
        Assert.Contains(message, error);
    }

    [Fact]
    public void Nesting_without_end_is_refused_instead_of_overflowing_the_stack() =>
        Assert.Contains("nested too deep", Assert.Throws<ModelFormatException>(() => Read("config.py", "a = " + new string('(', 100_000))).Message);

    [Fact]
    public void Json_config_may_have_comments_and_a_trailing_comma() =>
        Assert.Equal(
            [new("batch_size", 12L), new("learning_rate", 1e-3), new("bias", false), new("dataset", "x"), new("min_lr", null)],
            Read("config.json", """{ "batch_size": 12, "learning_rate": 1e-3, /* no biases */ "bias": false, "dataset": "x", "min_lr": null, }"""));

    [Theory]
    [InlineData("config.json", "[1]", "a JSON object")]
    [InlineData("config.json", "{ \"a\": [1] }", "a is Array")]
    [InlineData("config.json", "{ \"a\": ", "not valid JSON")]
    [InlineData("config.yaml", "a: 1", ".yaml")]
    public void Json_of_another_form_is_refused(string name, string text, string message) =>
        Assert.Contains(message, Assert.Throws<ModelFormatException>(() => Read(name, text)).Message);

    [Fact]
    public void Missing_file_is_named() =>
        Assert.Contains("nowhere.py", Assert.Throws<ModelFormatException>(() => ConfigFile.Read(_folder.File("nowhere.py"))).Message);

    [Theory]
    [InlineData("12", 12L)]
    [InlineData("-3", -3L)]
    [InlineData("1e-3", 1e-3)]
    [InlineData("True", true)]
    [InlineData("false", false)]
    [InlineData("None", null)]
    [InlineData("gpt2", "gpt2")]
    [InlineData("'12'", "12")]
    [InlineData("2024-01", "2024-01")]
    [InlineData("out/a b", "out/a b")]
    [InlineData("", "")]
    public void Command_line_values_are_literals_or_texts(string text, object? value) => Assert.Equal(value, ConfigFile.ParseValue(text));

    [Theory]
    [InlineData("bach_size", "batch_size")]
    [InlineData("batch-size", "batch_size")]
    [InlineData("max_iter", "max_iters")]
    [InlineData("lr_decay_itres", "lr_decay_iters")]
    [InlineData("zzz", null)]
    public void Closest_name_is_found(string typed, string? meant) => Assert.Equal(meant, ConfigFile.Closest(typed, TrainerOptions.Names));

    private IReadOnlyList<KeyValuePair<string, object?>> Read(string name, string text)
    {
        File.WriteAllText(_folder.File(name), text);
        return ConfigFile.Read(_folder.File(name));
    }
}
