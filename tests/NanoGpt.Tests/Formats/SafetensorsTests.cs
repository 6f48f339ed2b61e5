using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using NanoGpt.Formats;

namespace NanoGpt.Tests.Formats;

public sealed class SafetensorsTests
{
    public static TheoryData<string, string> Cases => Verdicts.Read("safetensors", "file");

    [Theory]
    [MemberData(nameof(Cases))]
    public void Every_file_gets_the_verdict_of_the_reference_reader(string name, string must)
    {
        var path = Vectors.Path("bad", "safetensors", name);

        var refusal = Verdicts.Check(must, () => SafetensorsFile.Open(path).Dispose());

        if (refusal is not null) Assert.Contains(name, refusal.Message);
    }

    [Fact]
    public void Accepted_files_have_the_names_types_shapes_and_sizes_of_the_reference_reader()
    {
        using var index = JsonDocument.Parse(File.ReadAllBytes(Vectors.Path("bad", "safetensors", "index.json")));
        var checkedTensors = 0;
        foreach (var item in index.RootElement.EnumerateArray().Where(item => item.GetProperty("must").GetString() == "accept"))
        {
            using var file = SafetensorsFile.Open(Vectors.Path("bad", "safetensors", item.GetProperty("file").GetString()!));
            var expected = item.GetProperty("tensors").EnumerateArray().ToList();
            Assert.Equal(expected.Count, file.Tensors.Count);
            foreach (var tensor in expected)
            {
                var name = tensor.GetProperty("name").GetString()!;
                Assert.Equal(tensor.GetProperty("dtype").GetString(), file.Tensors[name].Type.Name());
                Assert.Equal(tensor.GetProperty("shape").EnumerateArray().Select(size => size.GetInt64()), file.Tensors[name].Shape);
                Assert.Equal(tensor.GetProperty("bytes").GetInt32(), file.Bytes(name).Length);
                checkedTensors++;
            }
        }

        Assert.True(checkedTensors > 20);
    }

    [Theory]
    [InlineData("deep-nesting.safetensors", "not JSON")]
    [InlineData("length-over-100MB.safetensors", "limit of 100000000")]
    [InlineData("duplicate-same-entry.safetensors", "twice")]
    [InlineData("dtype-lower-case.safetensors", "unknown dtype 'f32'")]
    [InlineData("truncated-data.safetensors", "cut off")]
    [InlineData("trailing-bytes.safetensors", "follow the last tensor")]
    public void A_refusal_says_what_is_wrong(string name, string expected)
    {
        var refusal = Assert.Throws<ModelFormatException>(() => SafetensorsFile.Open(Vectors.Path("bad", "safetensors", name)));

        Assert.Contains(expected, refusal.Message);
    }

    [Theory]
    [InlineData("tiny-gpt2", "prefixed-tied", "model.safetensors")]
    [InlineData("tiny-gpt2", "with-lm-head", "model.safetensors")]
    [InlineData("tiny-gpt2", "bf16", "model.safetensors")]
    [InlineData("tiny-gpt2", "sharded", "model-00001-of-00002.safetensors")]
    public void Writing_the_tensors_of_a_file_of_transformers_gives_its_bytes_again(params string[] parts)
    {
        var path = Vectors.Path(parts);
        using var file = SafetensorsFile.Open(path);
        var tensors = file.Tensors.Values.Reverse()
            .Select(tensor => new TensorToWrite(tensor.Name, tensor.Type, tensor.Shape, stream => stream.Write(file.Bytes(tensor.Name))));

        using var written = new MemoryStream();
        SafetensorsWriter.Write(written, tensors);

        Assert.Equal(File.ReadAllBytes(path), written.ToArray());
    }

    [Fact]
    public void Every_type_of_the_format_is_written_aligned_and_read_back()
    {
        var types = Enum.GetValues<TensorType>();
        var tensors = types.Select((type, i) => new TensorToWrite(
            $"t{i}", type, [3, 8], stream => stream.Write(Enumerable.Range(i, 24 * type.Bits() / 8).Select(b => (byte)b).ToArray())));
        using var written = new MemoryStream();

        SafetensorsWriter.Write(written, tensors, new Dictionary<string, string> { ["z"] = "\u00e9\"\n", ["a"] = "" });

        var bytes = written.ToArray();
        var header = SafetensorsHeader.Read(bytes, bytes.Length, "written");
        Assert.Equal(0, header.DataStart % 8);
        Assert.Equal("\u00e9\"\n", header.Metadata["z"]);
        foreach (var type in types)
        {
            var tensor = header.Tensors[$"t{(int)type}"];
            Assert.Equal(type, tensor.Type);
            Assert.Equal(0, tensor.Begin % Math.Max(1, type.Bits() / 8));
            Assert.Equal((byte)(int)type, bytes[header.DataStart + tensor.Begin]);
        }
    }

    [Fact]
    public void A_writer_that_gives_too_few_bytes_leaves_no_file()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("model.safetensors");

        Assert.Throws<InvalidOperationException>(() =>
            SafetensorsWriter.Write(path, [new TensorToWrite("w", TensorType.F32, [2], stream => stream.Write(new byte[7]))]));

        Assert.Empty(Directory.GetFileSystemEntries(folder.Path));
    }

    [Fact]
    public void Names_in_messages_are_short_and_printable()
    {
        var name = "\\u001b[31m" + new string('x', 50_000);
        var bytes = OneHeader(name + "\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,8]}");

        var refusal = Assert.Throws<ModelFormatException>(() => SafetensorsHeader.Read(bytes, bytes.Length, "m"));

        Assert.Contains("'\\u001b[31mxxx", refusal.Message);
        Assert.InRange(refusal.Message.Length, 100, 500);
    }

    [Theory]
    [InlineData("\\ud800", "surrogate")] // half a pair cannot become a string
    [InlineData("w\":{\"dtype\":\"F32\",\"shape\":[-0],\"data_offsets\":[0,0]},\"v", "whole numbers")]
    [InlineData("w\":{\"dtype\":\"F32\",\"shape\":[1e1],\"data_offsets\":[0,40]},\"v", "whole numbers")]
    [InlineData("w\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,1]},\"v", "whole bytes")]
    [InlineData("w\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]},\"v", "two dtypes")]
    public void Faults_that_the_fixtures_leave_out_are_found_too(string start, string expected)
    {
        var bytes = OneHeader(start + "\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}");

        Assert.Contains(expected, Assert.Throws<ModelFormatException>(() => SafetensorsHeader.Read(bytes, bytes.Length, "m")).Message);
    }

    [Fact]
    public void A_missing_file_is_a_typed_error()
    {
        Assert.Throws<ModelFormatException>(() => SafetensorsFile.Open("/no/such/folder/model.safetensors"));
        Assert.Throws<ModelFormatException>(() => SafetensorsFile.Open(Path.GetTempPath()));
    }

    private static byte[] OneHeader(string entries)
    {
        var json = Encoding.UTF8.GetBytes("{\"" + entries + "}");
        var bytes = new byte[8 + json.Length];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, json.Length);
        json.CopyTo(bytes, 8);
        return bytes;
    }
}
