using System.Net;
using System.Security.Cryptography;
using System.Text.Json;
using NanoGpt.Data;
using NanoGpt.Tokenization;

namespace NanoGpt.Tests.Data;

public sealed class DatasetPreparationTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("shakespeare", "gpt2")]
    [InlineData("shakespeare_char", "char")]
    public void Files_are_those_of_nanoGPT_to_the_byte(string dataset, string reference)
    {
        var expected = JsonDocument.Parse(File.ReadAllText(Vectors.Path("tokenizer", "harbour.json"))).RootElement.GetProperty(reference);
        var made = DatasetPreparation.Prepare(new() { Dataset = dataset, Input = Vectors.Path("tokenizer", "harbour.txt"), OutDir = _folder.Path });
        Compare(expected, made);
    }

    [Theory]
    [InlineData("shakespeare", "gpt2")]
    [InlineData("shakespeare_char", "char")]
    public void Tinyshakespeare_has_nanoGPTs_counts_and_hashes(string dataset, string reference)
    {
        var input = Vectors.Shared("data", "tinyshakespeare", "input.txt");
        Assert.SkipWhen(input is null, "tinyshakespeare is not in the repository; shared/data beside the repository has it");
        var expected = JsonDocument.Parse(File.ReadAllText(Vectors.Path("tokenizer", "tinyshakespeare.json"))).RootElement.GetProperty(reference);

        var made = DatasetPreparation.Prepare(new() { Dataset = dataset, Input = input, OutDir = _folder.Path });

        Compare(expected, made);
        using var data = TokenDataset.Open(_folder.Path);
        Assert.StartsWith("First Citizen:\nBefore", data.Tokenizer.Decode(TokenDatasetTests.All(data.Train).Take(30)));
        Assert.Equal(reference == "char" ? 65 : null, data.VocabSize);
    }

    private void Compare(JsonElement expected, PreparedDataset made)
    {
        foreach (var (split, count) in new[] { ("train", made.TrainIds), ("val", made.ValIds) })
        {
            Assert.Equal(expected.GetProperty(split).GetProperty("count").GetInt64(), count);
            var bytes = File.ReadAllBytes(_folder.File(split + ".bin"));
            Assert.Equal(expected.GetProperty(split).GetProperty("sha256").GetString(), Convert.ToHexStringLower(SHA256.HashData(bytes)));
        }
    }

    [Fact]
    public void Preparing_again_replaces_everything_that_was_there()
    {
        File.WriteAllText(_folder.File("a.jsonl"), """{"prompt": "1 + 1 =", "response": " 2"}""" + "\n" + """{"prompt": "2 + 2 =", "response": " 4"}""");
        File.WriteAllText(_folder.File("b.txt"), "To be, or not to be");
        var folder = _folder.File("data");
        DatasetPreparation.Prepare(new() { Dataset = "d", Input = _folder.File("a.jsonl"), OutDir = folder });
        DatasetPreparation.Prepare(new() { Dataset = "d_char", Input = _folder.File("b.txt"), OutDir = folder });
        Assert.Equal(["characters.json", "meta.json", "train.bin", "val.bin"], Directory.GetFiles(folder).Select(Path.GetFileName).Order());
        DatasetPreparation.Prepare(new() { Dataset = "d", Input = _folder.File("b.txt"), OutDir = folder });
        Assert.Equal(["meta.json", "train.bin", "val.bin"], Directory.GetFiles(folder).Select(Path.GetFileName).Order());
    }

    [Fact]
    public void Documents_end_with_the_end_of_text_and_some_are_kept_for_validation()
    {
        var lines = Enumerable.Range(0, 40).Select(i => JsonSerializer.Serialize(new { text = $"Document {i}, na\u00EFve <|endoftext|>\r\n" }));
        File.WriteAllLines(_folder.File("d.jsonl"), [.. lines.Take(20), "", .. lines.Skip(20)]);
        var made = DatasetPreparation.Prepare(new() { Dataset = "d", Input = _folder.File("d.jsonl"), OutDir = _folder.File("data") });

        using var data = TokenDataset.Open(made.Folder);
        var val = NumpyPermutation.Create(40, 2357)[..4].Order().ToList();
        Assert.Equal(Encode(Enumerable.Range(0, 40).Except(val)), TokenDatasetTests.All(data.Train));
        Assert.Equal(Encode(val), TokenDatasetTests.All(data.Val));
        Assert.False(File.Exists(Path.Combine(made.Folder, "train.mask")));

        static IEnumerable<int> Encode(IEnumerable<int> documents) =>
            documents.SelectMany(i => Tokenizer.Gpt2.Encode($"Document {i}, na\u00EFve <|endoftext|>\r\n").Append(50256));
    }

    [Fact]
    public void The_documents_kept_are_those_that_numpy_chooses()
    {
        // numpy.random.default_rng(seed).permutation(n) as int32; numpy 1.24.2.
        Assert.Equal([5, 6, 0, 7, 3, 2, 4, 9, 1, 8], NumpyPermutation.Create(10, 42));
        Assert.Equal("13b6a4e67afc5844afec5b96a1322ac9ed348007037564c5d3cf6e63f0c41bbb", Sha256(NumpyPermutation.Create(1000, 2357)));
        Assert.Equal("f8a8c7bb7fd99add6c3a3c6b7d4d1c2e50358c40cdcc79c00cd4d4bb12f759d0", Sha256(NumpyPermutation.Create(100_003, 2357)));
        Assert.Equal("f2b3e193d48b8daf430b70fed4cdad762272414c1adb2ee602370c21c574cc52", Sha256(NumpyPermutation.Create(100_003, 7)));

        static string Sha256(int[] numbers) => Convert.ToHexStringLower(SHA256.HashData(System.Runtime.InteropServices.MemoryMarshal.AsBytes(numbers.AsSpan())));
    }

    [Fact]
    public void Prompts_are_seen_and_not_learned()
    {
        File.WriteAllLines(_folder.File("d.jsonl"),
        [
            """{"text": "Plain text."}""",
            """{"prompt": "Question: 1 + 1?\n", "response": "Answer: 2"}""",
            """{"prompt": "Question: 2 + 2?\n", "completion": "Answer: 4"}""",
        ]);
        // Seed 0 keeps document 2 of three: numpy.random.default_rng(0).permutation(3) is [2, 0, 1].
        var made = DatasetPreparation.Prepare(new() { Dataset = "d", Input = _folder.File("d.jsonl"), OutDir = _folder.File("data"), Seed = 0, ValFraction = 0.01 });

        using var data = TokenDataset.Open(made.Folder);
        var learned = Learned(data.Train, File.ReadAllBytes(Path.Combine(made.Folder, "train.mask")));
        Assert.Equal("Plain text.<|endoftext|>Answer: 2<|endoftext|>", learned);
        Assert.Equal("Answer: 4<|endoftext|>", Learned(data.Val, File.ReadAllBytes(Path.Combine(made.Folder, "val.mask"))));
        Assert.Equal("Plain text.<|endoftext|>Question: 1 + 1?\nAnswer: 2<|endoftext|>", Tokenizer.Gpt2.Decode(TokenDatasetTests.All(data.Train)));

        static string Learned(TokenFile file, byte[] mask) => Tokenizer.Gpt2.Decode(TokenDatasetTests.All(file).Where((_, i) => mask[i] == 1));
    }

    [Fact]
    public void A_folder_of_texts_is_read_in_the_order_of_its_paths()
    {
        Directory.CreateDirectory(_folder.File("texts", "b"));
        File.WriteAllText(_folder.File("texts", "b", "2.txt"), "second\r\n");
        File.WriteAllText(_folder.File("texts", "a.txt"), "first");
        File.WriteAllText(_folder.File("texts", "c.txt"), "third");
        File.WriteAllText(_folder.File("texts", "notes.md"), "not this");
        // numpy.random.default_rng(0).permutation(3) is [2, 0, 1].
        var made = DatasetPreparation.Prepare(new() { Dataset = "d", Input = _folder.File("texts"), OutDir = _folder.File("data"), Seed = 0 });
        using var data = TokenDataset.Open(made.Folder);
        Assert.Equal("first<|endoftext|>second\n<|endoftext|>", data.Tokenizer.Decode(TokenDatasetTests.All(data.Train)));
        Assert.Equal("third<|endoftext|>", data.Tokenizer.Decode(TokenDatasetTests.All(data.Val)));
    }

    [Fact]
    public void Documents_may_come_from_anywhere_and_many_are_encoded_in_their_order()
    {
        var made = DatasetPreparation.Prepare(new() { Dataset = "d", Documents = new Numbers(30_000), OutDir = _folder.Path, ValFraction = 0.0001 });
        var val = NumpyPermutation.Create(30_000, 2357)[..3];
        using var data = TokenDataset.Open(_folder.Path);
        var text = data.Tokenizer.Decode(TokenDatasetTests.All(data.Train));
        Assert.Equal(string.Concat(Enumerable.Range(0, 30_000).Where(i => !val.Contains(i)).Select(i => $"{i} {new string('x', i % 100)}<|endoftext|>")), text);
    }

    [Fact]
    public async Task Characters_may_be_asked_for_and_progress_counts_documents()
    {
        File.WriteAllText(_folder.File("a.txt"), "abcabcabcd");
        var made = await DatasetPreparation.PrepareAsync(new() { Dataset = "letters", Input = _folder.File("a.txt"), OutDir = _folder.File("a"), Characters = true });
        Assert.Equal((9, 1, 4), (made.TrainIds, made.ValIds, made.VocabSize));

        var reports = new List<PreparationProgress>();
        await DatasetPreparation.PrepareAsync(new() { Dataset = "d", Documents = new Numbers(2500), OutDir = _folder.File("d") }, new Told(reports));
        Assert.Equal([0, 1000, 2000, 2500], reports.Where(r => r is { Unit: PreparationUnit.Documents, Total: 2500 }).Select(r => r.Done));
    }

    private sealed class Told(List<PreparationProgress> reports) : IProgress<PreparationProgress>
    {
        public void Report(PreparationProgress value)
        {
            lock (reports) reports.Add(value);
        }
    }

    private sealed class Numbers(int count) : DocumentSource
    {
        public override string Name => "numbers";

        public override long Count(CancellationToken cancellationToken) => count;

        public override IEnumerable<Document> Read(CancellationToken cancellationToken) =>
            Enumerable.Range(0, count).Select(i => new Document($"{i} {new string('x', i % 100)}"));
    }

    [Fact]
    public void A_vocabulary_of_more_than_65536_ids_takes_32_bits_an_id()
    {
        var vocab = new Dictionary<string, int> { ["a"] = 0, ["b"] = 65_536, ["<|endoftext|>"] = 1 };
        File.WriteAllText(_folder.File("vocab.json"), JsonSerializer.Serialize(vocab));
        File.WriteAllText(_folder.File("merges.txt"), "");
        File.WriteAllText(_folder.File("t.txt"), "aaaaaaabba");
        var tokenizer = Tokenizer.Load(_folder.Path);
        var made = DatasetPreparation.Prepare(new() { Dataset = "d", Input = _folder.File("t.txt"), Tokenizer = tokenizer, OutDir = _folder.File("data") });

        using var data = TokenDataset.Open(made.Folder);
        Assert.Equal(16 + 4 * 9, new FileInfo(Path.Combine(made.Folder, "train.bin")).Length);
        Assert.Equal([0, 0, 0, 0, 0, 0, 0, 65_536, 65_536], TokenDatasetTests.All(data.Train));
        Assert.Equal("aaaaaaabb", data.Tokenizer.Decode(TokenDatasetTests.All(data.Train)));
        Assert.Equal(65_537, data.VocabSize);
    }

    [Theory]
    [InlineData("""{"txt": "a"}""", "line 2: neither")]
    [InlineData("""{"prompt": "a"}""", "line 2: neither")]
    [InlineData("""["text"]""", "line 2: neither")]
    [InlineData("""{"text": """, "line 2: not valid JSON")]
    [InlineData("""{"text": "\ud800"}""", "line 2: not valid JSON")]
    public void A_line_that_is_no_document_is_named(string line, string fault)
    {
        File.WriteAllLines(_folder.File("d.jsonl"), ["""{"text": "a"}""", line]);
        var message = Assert.Throws<ModelFormatException>(() => DatasetPreparation.Prepare(new() { Dataset = "d", Input = _folder.File("d.jsonl"), OutDir = _folder.File("data") })).Message;
        Assert.Contains(fault, message);
        Assert.Empty(Directory.GetFileSystemEntries(_folder.File("data")));
    }

    [Fact]
    public void A_line_that_is_not_UTF8_is_refused_like_a_text_that_is_not()
    {
        File.WriteAllBytes(_folder.File("d.jsonl"), [.. "{\"text\": \"a\"}\n{\"text\": \""u8, 0xE9, .. "\"}\n"u8]);
        var options = new PreparationOptions { Dataset = "d", Input = _folder.File("d.jsonl"), OutDir = _folder.File("data") };
        Assert.Contains("byte E9", Assert.Throws<ModelFormatException>(() => DatasetPreparation.Prepare(options)).Message);
    }

    [Fact]
    public void What_cannot_be_prepared_says_why()
    {
        File.WriteAllText(_folder.File("one.jsonl"), """{"text": "a"}""");
        File.WriteAllText(_folder.File("x.parquet"), "PAR1");
        Directory.CreateDirectory(_folder.File("empty"));
        Directory.CreateDirectory(_folder.File("both"));
        File.WriteAllText(_folder.File("both", "a.txt"), "a");
        File.WriteAllText(_folder.File("both", "b.jsonl"), "");

        Assert.Contains("no such file or folder", Fault<ModelFormatException>("d", "none"));
        Assert.Contains("1 documents; expected from 2", Fault<ModelFormatException>("d", "one.jsonl"));
        Assert.Contains("as Documents", Fault<ModelFormatException>("d", "x.parquet"));
        Assert.Contains("no .txt or .jsonl", Fault<ModelFormatException>("d", "empty"));
        Assert.Contains("expected one kind", Fault<ModelFormatException>("d", "both"));
        Assert.Contains("vocabulary of characters is for one .txt", Fault<ArgumentException>("d_char", "one.jsonl"));
        Assert.Contains("expected a name", Fault<ArgumentException>("../d", "one.jsonl"));
        Assert.Contains("no dataset that can be downloaded by this name", Assert.Throws<ModelFormatException>(() => DatasetPreparation.Prepare(new() { Dataset = "openwebtext", OutDir = _folder.Path })).Message);

        string Fault<T>(string dataset, string input) where T : Exception => Assert.Throws<T>(
            () => DatasetPreparation.Prepare(new() { Dataset = dataset, Input = _folder.File(input), OutDir = _folder.File("data") })).Message;
    }

    [Fact]
    public async Task Cancelling_leaves_the_folder_as_it_was()
    {
        File.WriteAllText(_folder.File("t.txt"), string.Concat(Enumerable.Repeat("To be, or not to be. ", 200_000)));
        var options = new PreparationOptions { Dataset = "d", Input = _folder.File("t.txt"), OutDir = _folder.File("data") };
        using var cancel = new CancellationTokenSource();
        var halfway = new Immediate(p => { if (p.Done > p.Total * 0.6) cancel.Cancel(); });

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => DatasetPreparation.PrepareAsync(options, halfway, cancel.Token));

        Assert.Empty(Directory.GetFileSystemEntries(_folder.File("data")));
        var last = default(PreparationProgress);
        await DatasetPreparation.PrepareAsync(options, new Immediate(p => last = p), TestContext.Current.CancellationToken);
        Assert.Equal(last.Total, last.Done);
    }

    private sealed class Immediate(Action<PreparationProgress> report) : IProgress<PreparationProgress>
    {
        public void Report(PreparationProgress value) => report(value);
    }

    [Theory]
    [InlineData(HttpStatusCode.OK, "wrong", "5 bytes arrived that are not the file; expected 1115394")]
    [InlineData(HttpStatusCode.NotFound, "", "404")]
    [InlineData(null, "", "No route")]
    public async Task A_download_that_fails_names_the_way_without_a_network(HttpStatusCode? status, string body, string fault)
    {
        using var web = new Web(() => status is { } code ? new HttpResponseMessage(code) { Content = new StringContent(body) } : throw new HttpRequestException("No route to host"));
        var options = new PreparationOptions { Dataset = "shakespeare", OutDir = _folder.Path };
        var message = (await Assert.ThrowsAsync<ModelFormatException>(() => DatasetPreparation.PrepareAsync(options, web, null, TestContext.Current.CancellationToken))).Message;
        Assert.Contains(fault, message);
        Assert.Contains("--input=FILE", message);
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    [Fact]
    public async Task A_download_is_kept_and_not_repeated()
    {
        var input = Vectors.Shared("data", "tinyshakespeare", "input.txt");
        Assert.SkipWhen(input is null, "tinyshakespeare is not in the repository; shared/data beside the repository has it");
        var asked = 0;
        using var web = new Web(() => { asked++; return new HttpResponseMessage { Content = new ByteArrayContent(File.ReadAllBytes(input)) }; });
        for (var i = 0; i < 2; i++)
        {
            var made = await DatasetPreparation.PrepareAsync(new() { Dataset = "shakespeare_char", OutDir = _folder.Path }, web, null, TestContext.Current.CancellationToken);
            Assert.Equal((1_003_854, 111_540, 65), (made.TrainIds, made.ValIds, made.VocabSize));
        }

        Assert.Equal(1, asked);
    }

    private sealed class Web(Func<HttpResponseMessage> answer) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) => Task.Run(answer, cancellationToken);
    }
}
