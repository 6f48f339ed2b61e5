// prepare as a user runs it; what the files must hold byte for byte is DatasetPreparationTests of the library.

using NanoGpt.Data;
using Parquet;
using Parquet.Schema;

namespace NanoGpt.EndToEnd.Samples;

public sealed class PrepareTests
{
    [Fact]
    public void A_text_becomes_a_dataset_in_the_current_folder()
    {
        using var nanogpt = new Nanogpt();
        File.WriteAllText(nanogpt.PathOf("book.txt"), "0123456789");
        var outcome = nanogpt.Run("prepare", "digits_char", "--input=book.txt");
        outcome.MustSucceed();
        Assert.Contains("train has 9 tokens, val has 1", outcome.Output);
        using var data = TokenDataset.Open(nanogpt.PathOf("data/digits_char"));
        Assert.Equal("012345678", Text(data, data.Train));
    }

    [Fact]
    public void A_text_is_prepared_in_less_memory_than_it_has_bytes()
    {
        const int Megabytes = 300, Limit = 200; // measured: see docs/performance.md, Preparing
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Reads the peak as Linux keeps it.");
        using var nanogpt = new Nanogpt();
        using (var text = new FileStream(nanogpt.PathOf("long.txt"), FileMode.CreateNew))
        {
            var part = File.ReadAllBytes(TinyModel.Text);
            while (text.Length < Megabytes * 1_000_000L) text.Write(part);
        }

        using var process = nanogpt.Start("prepare", "long", "--input=long.txt");
        var peak = 0L;
        while (!process.WaitForExit(20))
        {
            process.Refresh();
            try { peak = Math.Max(peak, process.PeakWorkingSet64); }
            catch (InvalidOperationException) { break; } // it has just ended
        }

        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
        Assert.InRange(peak, 1, Limit * 1_000_000L);
    }

    [Fact]
    public async Task Parquet_files_of_documents_and_of_instructions_are_read_group_by_group()
    {
        using var nanogpt = new Nanogpt();
        Directory.CreateDirectory(nanogpt.PathOf("web"));
        await Write(nanogpt.PathOf("web/1.parquet"), ["text"], [["first"], ["second"]], [["third"]]);
        await Write(nanogpt.PathOf("web/2.parquet"), ["id", "text"], [["4", "fourth"]]);
        await Write(nanogpt.PathOf("chat.parquet"), ["prompt", "response"], [["1 + 1?", " 2"], ["2 + 2?", " 4"]]);

        // numpy.random.default_rng(42).permutation(4) begins with 3, of two with 1.
        nanogpt.Run("prepare", "web", "--input=web", "--seed=42").MustSucceed();
        using var web = TokenDataset.Open(nanogpt.PathOf("data/web"));
        Assert.Equal("first<|endoftext|>second<|endoftext|>third<|endoftext|>", Text(web, web.Train));
        Assert.Equal("fourth<|endoftext|>", Text(web, web.Val));

        nanogpt.Run("prepare", "chat", "--input=chat.parquet", "--seed=42", "--out_dir=c").MustSucceed();
        using var chat = TokenDataset.Open(nanogpt.PathOf("c"));
        Assert.Equal("1 + 1? 2<|endoftext|>", Text(chat, chat.Train));
        Assert.Equal([0, 0, 0, 0, 1, 1], File.ReadAllBytes(nanogpt.PathOf("c/train.mask")));
    }

    [Fact]
    public async Task Parquet_that_is_broken_or_has_no_text_gives_one_line()
    {
        using var nanogpt = new Nanogpt();
        File.WriteAllText(nanogpt.PathOf("a.parquet"), "PAR1 and nothing else PAR1");
        await Write(nanogpt.PathOf("b.parquet"), ["title"], [["x"]]);
        foreach (var (file, message) in new[] { ("a", "cannot be read as Parquet"), ("b", "columns title; expected a text column 'text'") })
        {
            var outcome = nanogpt.Run("prepare", "x", $"--input={file}.parquet");
            Assert.Equal(1, outcome.ExitCode);
            Assert.Contains(message, Assert.Single(outcome.Errors.TrimEnd('\n').Split('\n')));
        }
    }

    private static async Task Write(string path, string[] columns, params string[][][] groups)
    {
        var fields = columns.Select(name => new DataField<string>(name)).ToArray();
        await using var stream = File.Create(path);
        await using var writer = await ParquetWriter.CreateAsync(new ParquetSchema(fields), stream);
        foreach (var rows in groups)
        {
            using var group = writer.CreateRowGroup();
            for (var c = 0; c < columns.Length; c++) await group.WriteAsync(fields[c], rows.Select(row => row[c]).ToArray());
            group.CompleteValidate();
        }
    }

    private static string Text(TokenDataset data, TokenFile file)
    {
        var ids = new long[file.Count];
        file.CopyTo(0, ids);
        return data.Tokenizer.Decode(ids.Select(id => (int)id));
    }
}
