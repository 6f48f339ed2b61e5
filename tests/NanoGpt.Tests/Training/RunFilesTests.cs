using System.Buffers.Binary;
using System.Text;
using NanoGpt.Training;

namespace NanoGpt.Tests.Training;

public sealed class RunFilesTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Log_lines_are_nanoGPTs_to_the_letter()
    {
        Assert.Equal("step 250: train loss 2.0512, val loss 2.1003", LogLines.Evaluation(250, 2.05118, 2.10032));
        Assert.Equal("iter 250: loss 2.0331, time 41.20ms, mfu 3.10%", LogLines.Iteration(250, 2.03309, 41.2, 0.031));
        Assert.Equal("iter 0: loss 10.9886, time 12345.68ms, mfu -100.00%", LogLines.Iteration(0, 10.98861, 12345.678, -1));
        Assert.Equal("step 0: train loss nan, val loss inf", LogLines.Evaluation(0, double.NaN, double.PositiveInfinity));
    }

    [Fact]
    public void Metrics_after_a_resume_have_each_step_once()
    {
        using (var files = new RunFiles(_folder.Path, resumed: null, tensorBoard: false, Assert.Fail))
        {
            files.Start(0, new Dictionary<string, object?> { ["seed"] = 1L });
            for (var i = 0; i < 6; i++)
            {
                if (i % 2 == 0) files.Evaluation(new EvaluationResult(i, 2, 3, true));
                files.Step(Step(i));
            }
        }

        File.AppendAllText(_folder.File("metrics.jsonl"), "{\"iter\":6,\"lo"); // the process died here

        using (var files = new RunFiles(_folder.Path, new TrainerState { Iteration = 4, LastEvaluation = 4 }, tensorBoard: false, Assert.Fail))
        {
            files.Start(4, new Dictionary<string, object?>());
            files.Step(Step(4));
        }

        Assert.Equal(
            ["start 0", "eval 0", "step 0", "step 1", "eval 2", "step 2", "step 3", "eval 4", "start 4", "step 4"],
            File.ReadAllLines(_folder.File("metrics.jsonl")).Select(Kind));
        Assert.Equal(
            ["iter", "0", "0", "1", "2", "2", "3", "4", "4"],
            File.ReadAllLines(_folder.File("metrics.csv")).Select(line => line.Split(',')[0]));
    }

    [Fact]
    public void Metrics_of_a_new_run_begin_empty()
    {
        File.WriteAllText(_folder.File("metrics.jsonl"), "{\"iter\":0,\"loss\":1}\n");
        using (new RunFiles(_folder.Path, resumed: null, tensorBoard: false, Assert.Fail))
        {
        }

        Assert.Empty(File.ReadAllText(_folder.File("metrics.jsonl")));
    }

    [Fact]
    public void TensorBoard_file_has_framed_events_with_valid_checksums()
    {
        using (var events = new EventFile(_folder.Path, resumedAt: 6))
        {
            events.Scalar("train/loss", 7, 2.5);
            events.Text("sample", 8, "To be");
        }

        var bytes = File.ReadAllBytes(Directory.GetFiles(_folder.Path, "events.out.tfevents.*").Single());
        var records = new List<byte[]>();
        for (var at = 0; at < bytes.Length;)
        {
            var length = (int)BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(at));
            Assert.Equal(Masked(bytes.AsSpan(at, 8)), BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at + 8)));
            records.Add(bytes[(at + 12)..(at + 12 + length)]);
            Assert.Equal(Masked(records[^1]), BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at + 12 + length)));
            at += 16 + length;
        }

        Assert.Equal(4, records.Count);
        Assert.Equal("brain.Event:2", Encoding.ASCII.GetString(records[0].AsSpan(^13)));

        // After 9 bytes of wall time: step 7, then summary { value { tag "train/loss", simple_value 2.5 } }.
        byte[] scalar = [0x10, 7, 0x2A, 19, 0x0A, 17, 0x0A, 10, .. "train/loss"u8, 0x15, .. BitConverter.GetBytes(2.5f)];
        Assert.Equal([0x10, 6, 0x3A, 2, 0x08, 1], records[1].AsSpan(9).ToArray()); // step 6, session_log { status: START }
        Assert.Equal(scalar, records[2].AsSpan(9).ToArray());
        Assert.Contains("To be", Encoding.UTF8.GetString(records[3]));
    }

    [Fact]
    public void Checksum_of_the_test_is_CRC32C() =>
        Assert.Equal(0xE3069283u, Crc("123456789"u8)); // the check value of the catalogue of CRCs

    private static TrainingProgress Step(int iteration) => new()
    {
        Event = TrainingEvent.Iteration, Iteration = iteration, Loss = 2.5, LearningRate = 1e-3, IterationTime = TimeSpan.FromMilliseconds(5),
    };

    private static string Kind(string line)
    {
        using var document = System.Text.Json.JsonDocument.Parse(line);
        var root = document.RootElement;
        return root.TryGetProperty("start", out var start) ? $"start {start}"
            : $"{(root.TryGetProperty("loss", out _) ? "step" : "eval")} {root.GetProperty("iter")}";
    }

    private static uint Masked(ReadOnlySpan<byte> data)
    {
        var crc = Crc(data);
        return ((crc >> 15) | (crc << 17)) + 0xa282ead8;
    }

    private static uint Crc(ReadOnlySpan<byte> data)
    {
        var crc = uint.MaxValue;
        foreach (var b in data)
        {
            crc ^= b;
            for (var bit = 0; bit < 8; bit++) crc = (crc & 1) != 0 ? (crc >> 1) ^ 0x82F63B78 : crc >> 1;
        }

        return ~crc;
    }
}
