using System.Security.Cryptography;
using System.Text.Json;
using NanoGpt.Tokenization;

namespace NanoGpt.Tests.Tokenization;

public sealed class TokenizerFolderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Gpt2_is_saved_as_transformers_writes_it_and_opens_again()
    {
        Tokenizer.Gpt2.Save(_folder.Path);

        // merges.txt as OpenAI published it; vocab.json as json.dumps(vocab, indent=2, sort_keys=True, ensure_ascii=False) writes it.
        Assert.Equal("1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5", Sha256("merges.txt"));
        Assert.Equal("f6bd25a65e4e63ca31360e9fb11c7e4f9a391a78385d640acd814092dd6eee4f", Sha256("vocab.json"));

        var loaded = Assert.IsType<Gpt2Tokenizer>(Tokenizer.Load(_folder.Path));
        Assert.Equal(50257, loaded.VocabSize);
        Assert.Equal(50256, loaded.EndOfTextId);
        Assert.Equal(Tokenizer.Gpt2.Encode("Hello, world<|endoftext|>\u4F60", allowSpecial: true), loaded.Encode("Hello, world<|endoftext|>\u4F60", allowSpecial: true));
        for (var id = 0; id < 50257; id++) Assert.True(Tokenizer.Gpt2.GetBytes(id).SequenceEqual(loaded.GetBytes(id)));
    }

    [Fact]
    public void Ascii_characters_are_saved_for_transformers_too()
    {
        var tokenizer = CharacterTokenizer.FromText("to be, or not\n\"\\");
        Assert.True(tokenizer.OpensInTransformers);
        tokenizer.Save(_folder.Path);

        var loaded = Assert.IsType<CharacterTokenizer>(Tokenizer.Load(_folder.Path));
        Assert.Equal(tokenizer.Characters, loaded.Characters);

        File.Delete(_folder.File("characters.json"));
        var byteLevel = Assert.IsType<Gpt2Tokenizer>(Tokenizer.Load(_folder.Path));
        Assert.Equal(tokenizer.Encode("not, to\n\"or\\"), byteLevel.Encode("not, to\n\"or\\"));
        Assert.Equal(tokenizer.VocabSize, byteLevel.VocabSize);
        Assert.Null(byteLevel.EndOfTextId);
        Assert.Contains("'x' (U+0078) at position 4 (line 2, column 2)", Assert.Throws<ArgumentException>(() => byteLevel.Encode("to\nbx")).Message);
    }

    [Fact]
    public void Other_characters_open_here_only_and_say_so()
    {
        var tokenizer = CharacterTokenizer.FromText("na\u00EFve \U0001F600");
        Tokenizer.Gpt2.Save(_folder.Path);
        Assert.False(tokenizer.OpensInTransformers);
        tokenizer.Save(_folder.Path);

        Assert.Equal(tokenizer.Characters, Assert.IsType<CharacterTokenizer>(Tokenizer.Load(_folder.Path)).Characters);
        Assert.Equal(["characters.json"], Directory.GetFiles(_folder.Path).Select(Path.GetFileName));
    }

    [Fact]
    public void Saving_replaces_the_vocabulary_that_was_there()
    {
        CharacterTokenizer.FromText("abc").Save(_folder.Path);
        File.WriteAllText(_folder.File("tokenizer.json"), "{}");
        Tokenizer.Gpt2.Save(_folder.Path);
        Assert.Equal(50257, Tokenizer.Load(_folder.Path).VocabSize);
        Assert.False(File.Exists(_folder.File("tokenizer.json")));
    }

    [Fact]
    public void A_vocabulary_with_other_ids_and_special_tokens_survives_saving()
    {
        WriteSmall(vocab: """{"a": 3, "b": 0, "ab": 5, "\u0120": 1, "<|endoftext|>": 2, "<pad>": 4}""", merges: "#version: 0.2\na b\n");
        File.WriteAllText(_folder.File("tokenizer_config.json"), """{"pad_token": {"content": "<pad>"}, "eos_token": "<pad>", "added_tokens_decoder": {"6": {"content": "<|im start|>"}}}""");

        var tokenizer = Tokenizer.Load(_folder.Path);
        Check(tokenizer);
        tokenizer.Save(_folder.Path);
        Check(Tokenizer.Load(_folder.Path));

        static void Check(Tokenizer tokenizer)
        {
            Assert.Equal(7, tokenizer.VocabSize);
            Assert.Equal(4, tokenizer.EndOfTextId);
            Assert.Equal([5, 1, 3], tokenizer.Encode("ab a"));
            Assert.Equal([5, 6, 1, 2, 4, 3], tokenizer.Encode("ab<|im start|> <|endoftext|><pad>a", allowSpecial: true));
            Assert.Equal("ab<|im start|> <|endoftext|>", tokenizer.Decode([5, 6, 1, 2]));
        }
    }

    [Fact]
    public void Tokenizer_json_gives_the_same_ids_with_merges_in_either_form()
    {
        Tokenizer.Gpt2.Save(_folder.Path);
        var vocab = File.ReadAllText(_folder.File("vocab.json"));
        var merges = File.ReadLines(_folder.File("merges.txt")).Skip(1).ToList();
        foreach (var name in new[] { "vocab.json", "merges.txt", "special_tokens_map.json", "tokenizer_config.json" }) File.Delete(_folder.File(name));

        foreach (var list in new[] { JsonSerializer.Serialize(merges), JsonSerializer.Serialize(merges.Select(m => m.Split(' '))) })
        {
            File.WriteAllText(_folder.File("tokenizer.json"), $$"""
                {"version": "1.0", "added_tokens": [{"id": 50256, "content": "<|endoftext|>", "special": true}], "normalizer": null,
                 "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true},
                 "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": "", "end_of_word_suffix": "", "fuse_unk": false, "vocab": {{vocab}}, "merges": {{list}} } }
                """);
            var loaded = Tokenizer.Load(_folder.Path);
            Assert.Equal([15496, 11, 995, 50256], loaded.Encode("Hello, world<|endoftext|>", allowSpecial: true));
            Assert.Equal(50256, loaded.EndOfTextId);
        }
    }

    [Theory]
    [InlineData("50257", true)]
    [InlineData("50304", true)]
    [InlineData("1000", false)]
    [InlineData("\"50257\"", false)]
    [InlineData("99999999999999", false)]
    public void A_folder_without_a_vocabulary_has_that_of_GPT2_if_its_size_is(string size, bool expected)
    {
        File.WriteAllText(_folder.File("config.json"), $$"""{"vocab_size": {{size}} }""");
        if (expected)
            Assert.Same(Tokenizer.Gpt2, Tokenizer.Load(_folder.Path));
        else
            Assert.Contains("no vocabulary", Assert.Throws<ModelFormatException>(() => Tokenizer.Load(_folder.Path)).Message);
    }

    [Theory]
    [InlineData("""{"a": 0, "b": 0}""", "", "id 0 belongs to two tokens")]
    [InlineData("""{"a": 0, "a": 1}""", "", "'a' is there twice")]
    [InlineData("""{"a": -1}""", "", "has id -1")]
    [InlineData("""{"a": 2000000000}""", "", "has id 2000000000")]
    [InlineData("""{"a": 1.5}""", "", "expected a whole number")]
    [InlineData("""{"a": "0"}""", "", "expected a whole number")]
    [InlineData("""{"a": 99999999999}""", "", "expected a whole number")]
    [InlineData("""{}""", "", "no tokens")]
    [InlineData("""[]""", "", "Array at the top")]
    [InlineData("""{"a": 0""", "", "not valid JSON")]
    [InlineData("", "", "not valid JSON")]
    [InlineData("""{"\ud800": 0}""", "", "not as a vocabulary")]
    [InlineData("""{"a": 0}""", "a b", "needs token 'b'")]
    [InlineData("""{"a": 0, "b": 1}""", "a b", "needs token 'ab'")]
    [InlineData("""{"a": 0}""", "a", "expected two tokens")]
    [InlineData("""{"a": 0}""", "a b c", "expected two tokens")]
    [InlineData("""{"a": 0}""", " a", "expected two tokens")]
    [InlineData("""{"a": 0, "aa": 1}""", "a a\n\na a", "merge 1 is ''")]
    public void A_broken_vocabulary_is_refused_with_its_fault(string vocab, string merges, string fault)
    {
        WriteSmall(vocab, merges);
        var message = Assert.Throws<ModelFormatException>(() => Tokenizer.Load(_folder.Path)).Message;
        Assert.Contains(fault, message);
        Assert.Contains(_folder.Path, message);
    }

    [Theory]
    [InlineData("tokenizer_config.json", """{"add_prefix_space": true}""", "add_prefix_space")]
    [InlineData("tokenizer_config.json", """{"added_tokens_decoder": {"x": {"content": "<p>"}}}""", "'x' in added_tokens_decoder")]
    [InlineData("tokenizer_config.json", """{"added_tokens_decoder": {"0": {"content": "<p>"}}}""", "'<p>' has id 0")]
    [InlineData("added_tokens.json", """{"<p>": 2000000000}""", "has id 2000000000")]
    [InlineData("added_tokens.json", """{"<p>": "1"}""", "no whole number")]
    [InlineData("added_tokens.json", """{"": 1}""", "is empty")]
    [InlineData("added_tokens.json", """{"a": 1}""", "special token 'a' has id 1")]
    [InlineData("special_tokens_map.json", """{""", "not valid JSON")]
    public void Broken_companions_are_refused_too(string file, string content, string fault)
    {
        WriteSmall("""{"a": 0}""", "");
        File.WriteAllText(_folder.File(file), content);
        Assert.Contains(fault, Assert.Throws<ModelFormatException>(() => Tokenizer.Load(_folder.Path)).Message);
    }

    [Theory]
    [InlineData("""{"model": {"type": "Unigram", "vocab": {}}}""", "only byte-level BPE")]
    [InlineData("""{"model": {"vocab": {"a": 0}, "merges": []}}""", "pre_tokenizer is missing")]
    [InlineData("""{"model": {"vocab": {"a": 0}, "merges": []}, "pre_tokenizer": {"type": "Metaspace"}}""", "Metaspace")]
    [InlineData("""{"model": {"vocab": {"a": 0}, "merges": []}, "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": true}}""", "add_prefix_space")]
    [InlineData("""{"model": {"vocab": {"a": 0}, "merges": []}, "pre_tokenizer": {"type": "ByteLevel", "use_regex": false}}""", "use_regex")]
    [InlineData("""{"model": {"vocab": {"a": 0}, "merges": []}, "normalizer": {"type": "NFC"}}""", "NFC")]
    [InlineData("""{"model": {"vocab": {"a": 0}, "merges": [], "ignore_merges": true}}""", "ignore_merges")]
    [InlineData("""{"model": {"vocab": {"a": 0}, "merges": [["a"]]}, "pre_tokenizer": {"type": "ByteLevel"}}""", "merge 0")]
    [InlineData("""{"model": {"vocab": {"a": 0}}, "pre_tokenizer": {"type": "ByteLevel"}}""", "no array 'model.merges'")]
    [InlineData("""{"model": {"vocab": {"a": 0}, "merges": [[1, 2]]}, "pre_tokenizer": {"type": "ByteLevel"}}""", "not as a vocabulary")]
    [InlineData("""{"model": 1}""", "only byte-level BPE")]
    public void What_tokenizer_json_asks_for_and_we_do_not_do_is_refused(string json, string fault)
    {
        File.WriteAllText(_folder.File("tokenizer.json"), json);
        Assert.Contains(fault, Assert.Throws<ModelFormatException>(() => Tokenizer.Load(_folder.Path)).Message);
    }

    [Theory]
    [InlineData("""{"characters": []}""", "at least one")]
    [InlineData("""{"characters": ["a", "a"]}""", "ids 0 and 1")]
    [InlineData("""{"characters": ["ab"]}""", "entry 0")]
    [InlineData("""{"characters": [""]}""", "entry 0")]
    [InlineData("""{"characters": [1]}""", "entry 0")]
    [InlineData("""{"characters": ["\ud83d"]}""", "not as a vocabulary")]
    [InlineData("""{"characters": "abc"}""", "no array 'characters'")]
    [InlineData("""{}""", "no array 'characters'")]
    [InlineData("""nonsense""", "not valid JSON")]
    public void A_broken_list_of_characters_is_refused_with_its_fault(string json, string fault)
    {
        File.WriteAllText(_folder.File("characters.json"), json);
        Assert.Contains(fault, Assert.Throws<ModelFormatException>(() => Tokenizer.Load(_folder.Path)).Message);
    }

    [Fact]
    public void Half_a_vocabulary_or_none_says_what_is_missing()
    {
        Assert.Contains("no such folder", Assert.Throws<ModelFormatException>(() => Tokenizer.Load(_folder.File("nothing"))).Message);
        Assert.Contains("no vocabulary", Assert.Throws<ModelFormatException>(() => Tokenizer.Load(_folder.Path)).Message);
        File.WriteAllText(_folder.File("vocab.json"), "{}");
        Assert.Contains("vocab.json without merges.txt", Assert.Throws<ModelFormatException>(() => Tokenizer.Load(_folder.Path)).Message);
    }

    [Fact]
    public void Changed_vocabulary_files_load_or_are_refused_with_our_exception()
    {
        WriteSmall("""{"a": 3, "b": 0, "ab": 5, "\u0120": 1, "<|endoftext|>": 2, "<pad>": 4}""", "#version: 0.2\na b\n");
        File.WriteAllText(_folder.File("tokenizer_config.json"), """{"pad_token": {"content": "<pad>"}, "added_tokens_decoder": {"6": {"content": "<|im|>"}}}""");
        var random = new Random(2);
        foreach (var name in new[] { "vocab.json", "merges.txt", "tokenizer_config.json" })
        {
            var whole = File.ReadAllBytes(_folder.File(name));
            for (var i = 0; i < 500; i++)
            {
                File.WriteAllBytes(_folder.File(name), Mutate(whole, random));
                try
                {
                    Tokenizer.Load(_folder.Path).Decode([0]);
                }
                catch (Exception e) when (e is ModelFormatException or ArgumentException)
                {
                }
            }

            File.WriteAllBytes(_folder.File(name), whole);
        }
    }

    private static byte[] Mutate(byte[] bytes, Random random)
    {
        var copy = bytes.ToList();
        for (var n = random.Next(1, 4); n > 0 && copy.Count > 0; n--)
        {
            var at = random.Next(copy.Count);
            switch (random.Next(4))
            {
                case 0: copy[at] = (byte)random.Next(256); break;
                case 1: copy.RemoveAt(at); break;
                case 2: copy.Insert(at, "{}[],:\"\\0-\n "u8[random.Next(12)]); break;
                default: copy.RemoveRange(at, copy.Count - at); break;
            }
        }

        return [.. copy];
    }

    private void WriteSmall(string vocab, string merges)
    {
        File.WriteAllText(_folder.File("vocab.json"), vocab);
        File.WriteAllText(_folder.File("merges.txt"), merges);
    }

    private string Sha256(string name) => Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(_folder.File(name))));
}
