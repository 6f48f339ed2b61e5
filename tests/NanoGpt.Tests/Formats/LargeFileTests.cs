using System.Globalization;
using System.Text;
using NanoGpt.Formats;

namespace NanoGpt.Tests.Formats;

public sealed unsafe class LargeFileTests
{
    private const long Rows = 1500, Columns = 1_000_000; // 6 GB as float32
    private const long SmallCount = 7;

    [Fact]
    public void Six_gigabytes_with_offsets_above_two_to_the_31_read_right()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Needs a file system with sparse files.");
        using var folder = new TemporaryFolder();
        var path = folder.File("model.safetensors");
        const long LargeBytes = Rows * Columns * sizeof(float), SmallBytes = SmallCount * sizeof(float);
        const string Format = """{{"large":{{"dtype":"F32","shape":[{0},{1}],"data_offsets":[0,{2}]}},"small":{{"dtype":"F32","shape":[{3}],"data_offsets":[{2},{4}]}}}}""";
        var header = Encoding.UTF8.GetBytes(string.Format(CultureInfo.InvariantCulture, Format, Rows, Columns, LargeBytes, SmallCount, LargeBytes + SmallBytes));

        // Holes everywhere but at the places that are looked at: the file takes a few kilobytes of disk.
        (long Row, long Column)[] places = [(0, 0), (536, 870_911), (536, 870_912), (1073, 741_824), (1073, 741_825), (1499, 999_999)];
        using (var stream = new FileStream(path, FileMode.CreateNew))
        {
            stream.Write(BitConverter.GetBytes((long)header.Length));
            stream.Write(header);
            var data = stream.Position;
            stream.SetLength(data + LargeBytes + SmallBytes);
            foreach (var (row, column) in places)
            {
                stream.Position = data + (row * Columns + column) * sizeof(float);
                stream.Write(BitConverter.GetBytes(Value(row, column)));
            }

            stream.Position = data + LargeBytes + SmallBytes - sizeof(float);
            stream.Write(BitConverter.GetBytes(42f));
        }

        using var file = SafetensorsFile.Open(path);
        var large = Tensor(file, "large", isInOut: false);
        var transposed = Tensor(file, "large", isInOut: true);
        var rowOfLarge = new float[Columns];
        var rowOfTransposed = new float[Rows];
        foreach (var (row, column) in places)
        {
            fixed (float* p = rowOfLarge) large.CopyRows(p, row, 1);
            fixed (float* p = rowOfTransposed) transposed.CopyRows(p, column, 1);
            Assert.Equal(Value(row, column), large.ReadElement(row * Columns + column));
            Assert.Equal(Value(row, column), rowOfLarge[column]);
            Assert.Equal(Value(row, column), rowOfTransposed[row]);
            Assert.Equal(places.Count(place => place.Row == row), rowOfLarge.Count(value => value != 0));
        }

        Assert.Equal(42, Tensor(file, "small", isInOut: false).ReadElement(SmallCount - 1));
    }

    [Fact]
    public void An_archive_of_torch_save_beyond_four_gigabytes_is_written_and_read_back()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Needs a file system with sparse files.");
        using var folder = new TemporaryFolder();
        var path = folder.File("large.zip");
        const long Large = 5_000_000_000;

        using (var stream = new FileStream(path, FileMode.CreateNew))
        {
            var zip = new StoredZipWriter(stream);
            zip.Add("first", Large, entry => stream.Position += Large); // a hole: nothing passes through the checksum
            zip.Add("second", 3, entry => entry.Write("abc"u8));
            zip.Finish();
        }

        using var file = NanoGpt.IO.MappedFile.Open(path);
        var entries = StoredZip.Read(file.Start, file.Length, path);
        Assert.Equal(Large, entries["first"].Length);
        Assert.True(entries["second"].Offset > Large);
        Assert.Equal("abc"u8, new ReadOnlySpan<byte>(file.Start + entries["second"].Offset, 3));
    }

    private static float Value(long row, long column) => row * 3 + column / 1000f + 1;

    private static WeightTensor Tensor(SafetensorsFile file, string name, bool isInOut)
    {
        var info = file.Tensors[name];
        return new WeightTensor(name, info.Type, info.Shape, isInOut, file.Data(info), file.File);
    }
}
