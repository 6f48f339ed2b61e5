// The convert command as a user runs it: nanoGPT to Hugging Face, Hugging Face to nanoGPT, and what it says.

using NanoGpt.EndToEnd.Package;

namespace NanoGpt.EndToEnd.Samples;

public sealed class ConvertTests
{
    [Fact]
    public void A_checkpoint_of_nanoGPT_becomes_a_folder_and_a_checkpoint_again()
    {
        using var nanogpt = new Nanogpt();
        var original = Repository.File("tests", "NanoGpt.Tests", "Vectors", "train", "nanogpt-ckpt.pt");
        nanogpt.Run("convert", original, "hf").MustSucceed();
        nanogpt.Run("convert", "hf", "back", "--to=nanogpt").MustSucceed();
        nanogpt.Run("convert", "back", "hf2").MustSucceed();
        Assert.Equal(["config.json", "generation_config.json", "model.safetensors"], Names(nanogpt.PathOf("hf")));
        Assert.Equal(["ckpt.pt"], Names(nanogpt.PathOf("back")));
        foreach (var file in Names(nanogpt.PathOf("hf")))
            Assert.Equal(File.ReadAllBytes(nanogpt.PathOf($"hf/{file}")), File.ReadAllBytes(nanogpt.PathOf($"hf2/{file}")));
    }

    [Fact]
    public void The_tokenizer_goes_along_and_a_difference_is_said()
    {
        using var nanogpt = new Nanogpt();
        TinyModel.Write(nanogpt.PathOf("tiny"));
        var outcome = nanogpt.Run("convert", "tiny", "out", "--to=nanogpt");
        outcome.MustSucceed();
        Assert.Contains("2 layers", outcome.Output);
        Assert.Contains("exact GELU", outcome.Errors); // a new model has Hugging Face's tanh form
        nanogpt.Run("sample", "--init_from=out/ckpt.pt", "--start=A", "--max_new_tokens=5", "--num_samples=1").MustSucceed();
    }

    [Fact]
    public void A_model_that_nanoGPT_cannot_compute_is_refused_in_one_line()
    {
        using var nanogpt = new Nanogpt();
        var untied = Repository.File("tests", "NanoGpt.Tests", "Vectors", "tiny-gpt2", "untied");
        var outcome = nanogpt.Run("convert", untied, "out", "--to=nanogpt");
        Assert.Equal(1, outcome.ExitCode);
        Assert.Contains("not tied to the token embedding", Assert.Single(outcome.Errors.TrimEnd('\n').Split('\n')));
        Assert.False(File.Exists(nanogpt.PathOf("out/ckpt.pt")));
    }

    [Fact]
    public void Tensors_that_GPT2_does_not_have_are_left_out_on_request_only()
    {
        using var nanogpt = new Nanogpt();
        var extra = Repository.File("tests", "NanoGpt.Tests", "Vectors", "bad", "model-dir", "extra-tensor");
        var refused = nanogpt.Run("convert", extra, "out");
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("--ignore_unexpected", refused.Errors);
        nanogpt.Run("convert", extra, "out", "--ignore_unexpected").MustSucceed();
        nanogpt.Run("convert", "out", "again").MustSucceed();
    }

    private static string[] Names(string folder) => [.. Directory.GetFiles(folder).Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal)];
}
